"""
Tests start ``python -m tarkeep`` some thousand times, and most of a start is to import it.

From `install` on, this process starts such commands by a fork of a process that has imported it, see `fork_server`;
they are real processes, and differ only in how they began. What asks for more than words, an environment, a directory
and streams, or for another interpreter, is started as ever. ``TARKEEP_TEST_EXEC=1`` starts everything as ever.
"""

from __future__ import annotations

import array
import atexit
import ctypes
import inspect
import json
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.fork_server import LARGEST_REQUEST

_SET_CHILD_SUBREAPER = 36  # prctl(2)
_OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "COVERAGE_")
_COMMAND = [sys.executable, "-m", "tarkeep"]
_EXECUTE = subprocess.Popen._execute_child  # type: ignore[attr-defined]
_PARAMETERS = inspect.signature(_EXECUTE)
_USUAL = {
    "executable": None,
    "preexec_fn": None,
    "close_fds": True,
    "shell": False,
    "gid": None,
    "gids": None,
    "uid": None,
    "umask": -1,
}


def _limits() -> tuple[object, ...]:
    """What a child inherits of this process, besides its environment."""
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    status = Path("/proc/self/status").read_text()
    kept = [line for line in status.splitlines() if line.startswith(("Umask", "Uid", "Gid", "Groups", "Cap", "SigIgn"))]
    return (*kept, *(resource.getrlimit(getattr(resource, name)) for name in names))


class _ForkServer:
    """The process that forks, for the process that made it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.limits = _limits()
        self.environment = _interpreters(os.environ)
        self._one_at_a_time = threading.Lock()
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        script = Path(__file__).with_name("fork_server.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        atexit.register(self.close)

    def close(self) -> None:
        """End the process; what it has forked goes on."""
        self._requests.close()
        if self.owner == os.getpid():
            self.process.wait()

    def can_make(self, environment: Mapping[str, str]) -> bool:
        """Whether a fork does not differ from a process that this one starts now with that *environment*."""
        return (
            all(isinstance(one, str) for one in (*environment, *environment.values()))
            and _interpreters(environment) == self.environment
            and _limits() == self.limits
        )

    def start(self, request: Mapping[str, object], streams: list[int]) -> int:
        """The number of the new process."""
        with self._one_at_a_time:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))]
            self._requests.sendmsg([json.dumps(request).encode()], rights)
            answer = self._requests.recv(LARGEST_REQUEST)
        if not answer:
            raise OSError("the process that forks has ended")
        return int(answer)


_server: _ForkServer | None = None
_making = threading.Lock()


def _fork_server() -> _ForkServer:
    global _server
    with _making:
        if _server is None or _server.owner != os.getpid():
            _server = _ForkServer()
        return _server


def _interpreters(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of *environment* that an interpreter looks at when it starts."""
    return {name: value for name, value in environment.items() if name.startswith(_OF_THE_INTERPRETER)}


class _Popen(subprocess.Popen[Any]):
    """`subprocess.Popen` that starts the command as this module says."""

    def _execute_child(self, *positional: Any) -> None:
        asked = _PARAMETERS.bind(self, *positional).arguments
        if not _is_plain(asked):
            _EXECUTE(self, *positional)
            return
        environment = dict(os.environ if asked["env"] is None else asked["env"])
        given = (asked["p2cread"], asked["c2pwrite"], asked["errwrite"])
        streams = [number if stream == -1 else stream for number, stream in enumerate(given)]
        server = _fork_server()
        if not server.can_make(environment) or any(os.isatty(stream) for stream in streams):
            _EXECUTE(self, *positional)
            return
        request = {
            "words": asked["args"][2:],
            "environment": environment,
            "cwd": str(Path.cwd() / (asked["cwd"] or "")),
            "session": asked["start_new_session"],
        }
        self.pid = server.start(request, streams)
        self._child_created = True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(asked[end] for end in ends))  # type: ignore[attr-defined]


def _is_plain(asked: Mapping[str, Any]) -> bool:
    """Whether what `subprocess.Popen` was *asked* for is the command, with nothing that needs a start of its own."""
    words = asked["args"]
    return (
        isinstance(words, list)
        and words[:3] == _COMMAND
        and all(isinstance(word, str) for word in words)
        and all(asked[name] == usual for name, usual in _USUAL.items())
        and not asked["pass_fds"]
        and asked.get("process_group", -1) == -1
    )


def install() -> None:
    """Use this in place of `subprocess.Popen`, in this process."""
    if not os.environ.get("TARKEEP_TEST_EXEC"):
        subprocess.Popen = _Popen  # type: ignore[misc]
