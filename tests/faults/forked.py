"""
Servers by the hundred: a process that has imported everything forks, and the child is ``tarkeep serve``.

It only differs from `live_server` in how it starts; a start takes a tenth of the time. The server
does not outlive the tests: if their process is gone, for any reason, it kills itself.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx2
from attrs import define

_ROOT = str(Path(__file__).parents[2])
if _ROOT not in sys.path:  # the child finds this module by its name
    sys.path.append(_ROOT)
PATIENCE_SECONDS = 60.0
NO_JOB_SOON = {
    "TARKEEP_JOB_PRUNE": "off",
    "TARKEEP_JOB_PURGE": f"0 {(datetime.now(UTC).hour + 12) % 24} * * *",
    "TARKEEP_JOB_SCRUB": "off",
    "TARKEEP_JOB_REHEARSE": "off",
    "TARKEEP_JOB_WATCH": "off",
}
"""Settings with which no job comes while a test runs; an interrupted purge is gone on with all the same."""
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "tarkeep.entrypoints.cli.main",
        "tarkeep.entrypoints.cli.server.serve",
        "tarkeep.entrypoints.http.server",
        "tarkeep.entrypoints.wiring.server",  # with the database: more than half of what a start takes
        "sqlalchemy.dialects.sqlite",
        "isal.isal_zlib",
        "uvloop",
    ]
)


class ServerEnded(Exception):
    """The server ended before it served; with its output."""


@define
class ForkedServer:
    """A running server; *log* is what it wrote to standard error. With a *token* clients have its `Authorization`."""

    url: str
    pid: int
    log: Path
    token: str
    _process: multiprocessing.process.BaseProcess

    def wait(self, timeout: float | None = PATIENCE_SECONDS) -> None:
        """Wait until the server has ended, by itself or by a signal."""
        self._process.join(timeout)
        if self._process.is_alive():
            raise AssertionError(f"the server has not ended within {timeout} s:\n{self.log.read_text()}")

    def client(self) -> httpx2.Client:
        """A client that ignores proxies in the environment; close it."""
        headers = {"Authorization": self.token} if self.token else {}
        return httpx2.Client(base_url=self.url, headers=headers, trust_env=False, timeout=60, verify=False)


@contextmanager
def forked_server(data: Path, log: Path, *options: str, token: str = "") -> Iterator[ForkedServer]:
    """
    A server on a free port over *data*, which is killed at the end, as by a power cut.

    Its clients have the header ``Authorization`` with *token*, if there is one. It uses the disk up to the last byte,
    since those of the harness are small.

    Raises:
        ServerEnded: the server ended before it served.
    """
    log.unlink(missing_ok=True)
    process = _FORKS.Process(target=_serve, args=(str(data), str(log), options))
    process.start()
    assert process.pid is not None
    try:
        server = ForkedServer(_url(process, log), process.pid, log, token, process)
        yield server
        process.kill()
        server.wait()
    finally:
        process.kill()
        process.join(PATIENCE_SECONDS)
        if not process.is_alive():
            process.close()


def _serve(data: str, log: str, options: tuple[str, ...]) -> None:
    from tarkeep.entrypoints.cli.main import run  # in the child alone, where it was imported before the fork

    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 2)
    for name in [name for name in os.environ if name.startswith("TARKEEP_")]:
        del os.environ[name]
    os.environ |= {"TARKEEP_RESERVE_BYTES": "0", **NO_JOB_SOON}
    threading.Thread(target=_die_with_the_tests, name="tests", daemon=True).start()
    os.chdir(Path(log).parent)
    sys.argv = ["tarkeep", "serve", "--port", "0", "--data", data, *options]
    run()


def _die_with_the_tests() -> None:
    tests = multiprocessing.parent_process()
    assert tests is not None
    tests.join()
    os.kill(os.getpid(), signal.SIGKILL)


def _url(process: multiprocessing.process.BaseProcess, log: Path) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        has_ended = not process.is_alive()
        said = log.read_text() if log.exists() else ""
        match = re.search(r"serving\s+url=(http://\S+).*\n", said)
        if match:
            return match[1]
        if has_ended:
            raise ServerEnded(said)
        if time.monotonic() > deadline:
            raise AssertionError(f"the server did not say within {PATIENCE_SECONDS} s where it serves:\n{said}")
        process.join(0.01)
