"""
A process that has imported Tarkeep once, and forks a child for each start of a command; run by `forked_starts`.

A request is a message of JSON on the socket that is named by its number, with the standard streams of the child; the
answer is the number of the child's process. The child is an orphan from its beginning, so that it becomes a child of
the tests, which are the subreaper: they wait for it as for any process that they started.
"""

from __future__ import annotations

import array
import gc
import importlib
import io
import json
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
from typing import Any

LARGEST_REQUEST = 1 << 20
_PRELOADED = (
    "tarkeep.entrypoints.cli.main",
    "tarkeep.entrypoints.cli.server.serve",
    "tarkeep.entrypoints.http.server",
    "tarkeep.entrypoints.wiring.server",
    "tarkeep.entrypoints.wiring.client",
    "tarkeep.entrypoints.wiring.client_drills",
    "tarkeep.entrypoints.wiring.client_dumps",
    "sqlalchemy.dialects.sqlite",
    "isal.isal_zlib",
    "uvloop",
)


def _next(requests: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next request and the descriptors that came with it; None when the tests are gone."""
    message, ancillary, _, _ = requests.recvmsg(LARGEST_REQUEST, socket.CMSG_SPACE(3 * array.array("i").itemsize))
    if not message:
        return None
    streams = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            streams.frombytes(content)
    return json.loads(message), list(streams)


def _fork_orphan() -> int:
    """0 in the new process; in this one its number."""
    ours, theirs = os.pipe()
    between = os.fork()
    if between:
        os.close(theirs)
        number = int.from_bytes(os.read(ours, 8), "big")
        os.close(ours)
        os.waitpid(between, 0)
        return number
    child = os.fork()
    if child:
        os.write(theirs, child.to_bytes(8, "big"))
        os._exit(0)
    while os.getppid() == between:  # set too early, it would be the parent to the program
        time.sleep(0.0001)
    return 0


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Make this process one that was just started as *request* says."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 1024)
    if request["session"]:
        os.setsid()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    tempfile.tempdir = None
    random.seed()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = list(request["words"])
    sys.path[0] = request["cwd"]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, name)
        raw = io.FileIO(number, "r" if number == 0 else "w", closefd=False)
        buffered: Any = io.BufferedReader(raw) if number == 0 else io.BufferedWriter(raw)
        text = io.TextIOWrapper(buffered, before.encoding, before.errors, line_buffering=number == 2)
        setattr(sys, name, text)
        setattr(sys, f"__{name}__", text)


def main() -> None:
    requests = socket.socket(fileno=int(sys.argv[1]))
    start = importlib.import_module("tarkeep.entrypoints.cli").main  # a module has that name, too, once it is imported
    for name in _PRELOADED:
        importlib.import_module(name)
    assert threading.active_count() == 1
    gc.freeze()  # else the first collection of each child would copy all that was imported
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which end this process by going away
    while True:
        asked = _next(requests)
        if asked is None:
            return
        request, streams = asked
        number = _fork_orphan()
        if not number:
            requests.detach()
            _become(request, streams)
            break
        for stream in streams:
            os.close(stream)
        requests.send(str(number).encode())
    start()


if __name__ == "__main__":
    main()
