"""
strace on a running server: its system calls, and calls that are made to fail or to kill it.

The server itself is unchanged. strace counts calls per thread, and one thread receives one request; so ``when=K`` is
the K-th such call of the request that runs while strace is attached.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from attrs import frozen

from tests.support.require import require


class Running(Protocol):
    """A child process, such as Popen has."""

    pid: int

    def wait(self, timeout: float | None = None) -> object: ...


@contextmanager
def attached(
    process: Running, log: Path, *options: str, kills: bool = False, thread: int | None = None
) -> Iterator[None]:
    """
    Attach strace to every thread of *process*, or to one *thread*, with *options*, logging to *log*.

    If it *kills*, wait for that.
    """
    whom = ["-f", "-p", str(process.pid)] if thread is None else ["-p", str(thread)]
    command = ["strace", "-y", "-o", str(log), *options, *whom]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        is_there, _, _ = select.select([strace.stderr], [], [], 60)
        said = strace.stderr.readline() if is_there else "nothing within 60 s"
        try:
            assert "attached" in said, said
            yield
        finally:
            try:
                if kills:
                    process.wait(60)  # strace ends by itself; it may hang when told to detach from dying threads
                else:
                    strace.send_signal(signal.SIGINT)
                strace.wait(10)
            except subprocess.TimeoutExpired:
                strace.kill()  # the end of a traced process is not visible while its tracer hangs
                process.wait(10)  # as above: the injection killed it after all; otherwise this is a failure
            finally:
                strace.kill()


def thread_of_jobs(process: Running) -> int:
    """
    The thread of a server that runs its jobs: of those with a low priority the first.

    Another one comes later, with archives, whose members it records.
    """
    threads = [int(path.name) for path in Path("/proc", str(process.pid), "task").iterdir()]
    least = os.getpriority(os.PRIO_PROCESS, process.pid)
    return min(thread for thread in threads if os.getpriority(os.PRIO_PROCESS, thread) > least)


def require_strace(folder: Path) -> None:
    """Continue if strace may attach to processes; *folder* is for a log."""
    works = False
    if shutil.which("strace") is not None:
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, text=True) as cat:
            assert cat.stdin is not None
            try:
                with attached(cat, folder / "probe.log"):
                    works = True
            except AssertionError:
                works = False
            cat.stdin.close()
    require("strace", works, "install strace and run where it may attach to processes")


@frozen
class Call:
    """
    One system call as strace shows it: *arguments* and *result* are its text.

    It *began* and *ended* at these lines of the log, which differ if another thread's call came in between.
    """

    name: str
    arguments: str
    result: str
    began: int
    ended: int

    @property
    def is_injected(self) -> bool:
        return "(INJECTED)" in self.result

    @property
    def has_failed(self) -> bool:
        return self.result.startswith("-1 ")

    @property
    def path(self) -> str:
        """The file of the call: that of its descriptor, or the last name given, below the directory given with it."""
        if self.name in ("linkat", "renameat", "renameat2", "unlinkat", "mkdirat", "openat", "newfstatat"):
            directory, name = re.findall(r'<([^>]*)>, "([^"]*)"', self.arguments)[-1]
            return str(Path(directory, name))
        named = re.search(r'^"([^"]*)"', self.arguments) or re.search(r"^\d+<([^>]*)>", self.arguments)
        assert named is not None, self
        return named[1]


_WHOLE = re.compile(r"(\w+)\((.*)\)\s+= (.+)")
_BEGUN = re.compile(r"(\w+)\((.*) <unfinished \.\.\.>")
_ENDED = re.compile(r"<\.\.\. \w+ resumed>(.*)\)\s+= (.+)")


def calls(log: Path) -> list[Call]:
    """Every call in *log*, in the order in which they ended, without the last call of a killed process."""
    begun: dict[str, tuple[str, str, int]] = {}
    found = []
    for number, line in enumerate(log.read_text(errors="replace").splitlines()):
        thread, _, text = line.partition(" ") if line[:1].isdigit() else ("", "", line)  # of one thread: no number
        text = text.strip()
        if match := _WHOLE.fullmatch(text):
            found.append(Call(match[1], match[2], match[3], number, number))
        elif match := _BEGUN.fullmatch(text):
            begun[thread] = (match[1], match[2], number)
        elif (match := _ENDED.fullmatch(text)) and thread in begun:
            name, arguments, began = begun.pop(thread)
            found.append(Call(name, arguments + match[1], match[2], began, number))
    return found
