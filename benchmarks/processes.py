"""
Starting processes and reading their usage: seconds, CPU seconds, peak memory.

A server is started in a session of its own, so that everything it forks is counted and ended with it, and
no other process ever is.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 120.0
_STOP_SECONDS = 20.0


class CannotRun(Exception):
    """A program could not run; the message is for people."""


@frozen
class Finished:
    """
    A process that ended: what it printed, its exit code, its wall and CPU seconds.

    *machine_cpu_seconds* is the usage of all processes together meanwhile.
    """

    output: str
    complaints: str
    code: int
    seconds: float
    cpu_seconds: float
    machine_cpu_seconds: float

    def succeeded(self, command: Sequence[str]) -> Finished:
        """
        Returns itself.

        Raises:
            CannotRun: the exit code is not 0.
        """
        if self.code != 0:
            raise CannotRun(f"{shlex.join(command)} ended with {self.code}: {self.complaints.strip()[-500:]}")
        return self


def run_timed(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    source: Path | None = None,
) -> Finished:
    """
    Run *command* to its end; timed from before its start until it is reaped.

    *environment* is added to the present one. *source* is its standard input, by default nothing.
    """
    with (
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as complaints,
        (source or Path(os.devnull)).open("rb") as given,
    ):
        busy = _machine_cpu_seconds()
        begin = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=given,
            stdout=output,
            stderr=complaints,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - begin
        busy = _machine_cpu_seconds() - busy
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        complaints.seek(0)
        return Finished(
            output=output.read().decode(errors="replace"),
            complaints=complaints.read().decode(errors="replace"),
            code=process.returncode,
            seconds=seconds,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            machine_cpu_seconds=busy,
        )


@frozen
class ServerProcess:
    """A running server: the process that was started and its whole session."""

    process: subprocess.Popen[bytes]
    log: Path
    start_seconds: float

    def cpu_seconds(self) -> float:
        """CPU used so far by the session; resolution is one clock tick, mostly 10 ms."""
        ticks = sum(sum(int(field) for field in fields[11:15]) for fields in self._stats().values())
        return ticks / _TICKS_PER_SECOND

    def peak_mib(self) -> float:
        """The sum of each process's own peak of resident memory, in MiB: an upper bound of the peak of all together."""
        total_kib = 0
        for pid in self._stats():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        total_kib += int(line.split()[1])
        return total_kib / 1024

    def _stats(self) -> dict[int, list[str]]:
        """The fields of ``/proc/PID/stat`` after the command's name, of every process of the session."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    if int(fields[3]) == self.process.pid:
                        found[int(entry.name)] = fields
        return found


@contextmanager
def serving(
    command: Sequence[str],
    *,
    ready: Callable[[], bool],
    log: Path,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[ServerProcess]:
    """
    Run a server until the block is left; entered once *ready* says yes.

    *environment* is added to the present one. Output goes to *log*.

    Raises:
        CannotRun: it ended, or was not ready in time.
    """
    with log.open("ab") as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    try:
        while not ready():
            if process.poll() is not None:
                raise CannotRun(
                    f"{command[0]} ended with {process.returncode}: {log.read_text(errors='replace')[-800:]}"
                )
            if time.perf_counter() - begin > _START_SECONDS:
                raise CannotRun(f"{command[0]} was not ready after {_START_SECONDS:.0f} s")
            time.sleep(0.002)
        yield ServerProcess(process=process, log=log, start_seconds=time.perf_counter() - begin)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # children that outlived their parent; the group has no other process


def _machine_cpu_seconds() -> float:
    """CPU used since boot by everything on the machine."""
    user, nice, system, _idle, _waiting, *interrupts = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    return sum(int(ticks) for ticks in (user, nice, system, *interrupts)) / _TICKS_PER_SECOND


def free_port() -> int:
    """A port of 127.0.0.1 that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Whether a server accepts connections on *port* of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
