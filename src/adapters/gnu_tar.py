"""
Dumps made and extracted by the GNU tar of this machine.

tar runs in a session of its own, speaks English, and is ended with whoever began it. The snapshot file lives in a
private temporary directory for as long as tar runs.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

from attrs import define, field, frozen

from ..domain.client.dumping import DumpEnd, DumpSource, Estimate
from ..domain.client.ports import LocalArchive
from ..domain.errors import DumpFailed, ExtractFailed, FolderUnusable, TarUnusable

_BLOCK_BYTES = 1 << 20
_KEPT_MESSAGES = 200
_SOME_CHANGED = 1  # tar's exit status where files changed while they were read
_TOTAL = re.compile(r"Total bytes written: (\d+)")


@frozen
class GnuTar:
    """`Dumper` and `Extractor` by *program*."""

    program: str = "tar"

    def check(self) -> None:
        found = shutil.which(self.program)
        if found is None:
            raise TarUnusable(self.program, "not there")
        ran = subprocess.run([found, "--version"], capture_output=True, text=True, env=_environment(), check=False)
        first = ran.stdout.partition("\n")[0]
        if "GNU tar" not in first:
            raise TarUnusable(self.program, first.strip() or "something that does not know --version")

    def command(self, source: DumpSource) -> list[str]:
        return self._create(source, "SNAPSHOT", "-")

    def estimate(self, source: DumpSource, before: bytes | None) -> Estimate:
        with tempfile.TemporaryDirectory(prefix="tarkeep-") as folder:
            snapshot = _written(Path(folder), before)
            # into /dev/null, GNU tar reads no file
            command = [*self._create(source, str(snapshot), "/dev/null"), "--verbose", "--totals"]
            members = 0
            with subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()
            ) as tar:
                assert tar.stdout is not None
                assert tar.stderr is not None
                messages = _Messages(tar.stderr)
                while block := tar.stdout.read(_BLOCK_BYTES):
                    members += block.count(b"\n")
                said = messages.wait()
                status = tar.wait()
            if status not in (0, _SOME_CHANGED):
                raise DumpFailed(status, said)
            totals = [match for line in said if (match := _TOTAL.match(line))]
            return Estimate(members, int(totals[-1][1]) if totals else 0)

    def start(self, source: DumpSource, before: bytes | None) -> _RunningTar:
        folder = Path(tempfile.mkdtemp(prefix="tarkeep-"))
        try:
            snapshot = _written(folder, before)
            tar = _started(self._create(source, str(snapshot), "-"), stdout=subprocess.PIPE)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return _RunningTar(tar, folder, snapshot)

    def extract(self, archive: LocalArchive, into: str, *, incremental: bool, numeric_owner: bool) -> None:
        command = self._extract(into, incremental=incremental, numeric_owner=numeric_owner)
        tar = _started([*command, "--gzip", "--force-local", f"--file={archive.path}"])
        with _ended(tar):
            assert tar.stderr is not None
            messages = _Messages(tar.stderr).wait()
            status = tar.wait()
        if status:
            raise ExtractFailed(archive.label, status, messages)

    def extract_stream(self, blocks: Iterable[bytes], into: str, *, numeric_owner: bool) -> None:
        command = self._extract(into, incremental=False, numeric_owner=numeric_owner)
        tar = _started([*command, "--file=-"], stdin=subprocess.PIPE)
        with _ended(tar):
            assert tar.stdin is not None
            assert tar.stderr is not None
            messages = _Messages(tar.stderr)
            # where tar gave up, its own words below say why
            with suppress(BrokenPipeError):
                for block in blocks:
                    tar.stdin.write(block)
                tar.stdin.close()
            said = messages.wait()
            status = tar.wait()
        if status:
            raise ExtractFailed("what the server sends", status, said)

    def _create(self, source: DumpSource, snapshot: str, file: str) -> list[str]:
        parent, _, name = source.directory.rstrip("/").rpartition("/")
        return [
            self.program,
            "--create",
            "--format=posix",
            f"--file={file}",
            f"--listed-incremental={snapshot}",
            *(["--one-file-system"] if source.one_file_system else []),
            *(f"--exclude={pattern}" for pattern in source.exclude),
            *(f"--exclude-from={listed}" for listed in source.exclude_from),
            f"--directory={parent or '/'}",
            f"--add-file={name or '.'}",
        ]

    def _extract(self, into: str, *, incremental: bool, numeric_owner: bool) -> list[str]:
        return [
            self.program,
            "--extract",
            "--preserve-permissions",
            *(["--listed-incremental=/dev/null"] if incremental else []),
            *(["--numeric-owner"] if numeric_owner else []),
            f"--directory={into}",
        ]


@define(eq=False)
class _RunningTar:
    _tar: subprocess.Popen[bytes]
    _folder: Path
    _snapshot: Path
    _messages: _Messages = field(init=False)

    @_messages.default
    def _listening(self) -> _Messages:
        assert self._tar.stderr is not None
        return _Messages(self._tar.stderr)

    def __iter__(self) -> Iterator[bytes]:
        assert self._tar.stdout is not None
        while block := self._tar.stdout.read(_BLOCK_BYTES):
            yield block

    def finish(self) -> DumpEnd:
        said = self._messages.wait()
        status = self._tar.wait()
        if status not in (0, _SOME_CHANGED):
            raise DumpFailed(status, said)
        return DumpEnd(self._snapshot.read_bytes(), said, is_clean=status == 0)

    def __enter__(self) -> _RunningTar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _ended(self._tar):
            pass
        shutil.rmtree(self._folder, ignore_errors=True)


class _Messages:
    """The last lines that a program writes to its standard error, read beside whatever else is going on."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._lines: deque[str] = deque(maxlen=_KEPT_MESSAGES)
        self._thread = threading.Thread(target=self._read, args=(stream,), name="tar messages", daemon=True)
        self._thread.start()

    def wait(self) -> tuple[str, ...]:
        """All of them, when there are no more."""
        self._thread.join()
        return tuple(self._lines)

    def _read(self, stream: IO[bytes]) -> None:
        with suppress(ValueError, OSError):  # closed by whoever ended the program
            for line in stream:
                self._lines.append(line.decode(errors="backslashreplace").rstrip("\n").removeprefix("tar: "))


class _ended:
    """At its end the program does not run any more, and its pipes are closed."""

    def __init__(self, program: subprocess.Popen[bytes]) -> None:
        self._program = program

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._program.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._program.pid, signal.SIGKILL)
            self._program.wait()
        for pipe in (self._program.stdin, self._program.stdout, self._program.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _started(
    command: list[str], *, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    try:
        # a session of its own, so that Ctrl-C reaches us alone and whatever tar has started ends with it
        return subprocess.Popen(
            command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=_environment(), start_new_session=True
        )
    except OSError as error:
        raise FolderUnusable(command[0], error.strerror or str(error)) from error


def _written(folder: Path, before: bytes | None) -> Path:
    snapshot = folder / "snapshot"
    if before is not None:
        snapshot.write_bytes(before)
    return snapshot


def _environment() -> dict[str, str]:
    ignored = ("TAR_OPTIONS", "POSIXLY_CORRECT", "GZIP")
    return {**{name: value for name, value in os.environ.items() if name not in ignored}, "LC_ALL": "C"}
