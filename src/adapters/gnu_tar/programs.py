"""
Dumps made and extracted by the GNU tar of this machine.

tar runs in a session of its own, with messages in English, and ends when its caller does. The snapshot file lives in a
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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from attrs import define, evolve, frozen

from ...domain.client.ports.dumping import DumpEnd, DumpSource, Estimate
from ...domain.client.selection import ACLS, ONE_FILE_SYSTEM, XATTRS, Selection
from ...domain.errors.client import DumpFailed, ExtractFailed, FolderUnusable, TarUnusable
from .messages import TarMessages, unescaped
from .snapshot_file import remembered, remembering, settled

_BLOCK_BYTES = 1 << 20
_KEPT_MESSAGES = 200
_SOME_CHANGED = 1  # tar's exit status where files changed while they were read
_ERRORS = 2
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

    def selection(self, source: DumpSource) -> Selection:
        given = {ONE_FILE_SYSTEM: source.one_file_system, XATTRS: source.xattrs, ACLS: source.acls}
        patterns = {*source.exclude, *(pattern for listed in source.exclude_from for pattern in _patterns_in(listed))}
        return Selection(_member(source), frozenset(patterns), frozenset(name for name, its in given.items() if its))

    def selection_of(self, snapshot: bytes) -> Selection | None:
        return remembered(snapshot)

    def archivable(self, source: DumpSource, paths: Sequence[bytes]) -> tuple[bytes, ...]:
        if not paths:
            return ()
        options = ("--verbose", "--quoting-style=escape", "--no-recursion", "--null")
        tar = _started(
            # the names last: options that follow do not apply to them
            [self.program, "--create", "--file=/dev/null", *options, *_selecting(source), "--files-from=-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with _ended(tar):
            said, errors = tar.communicate(b"\0".join(paths) + b"\0")
        if tar.returncode not in (0, _SOME_CHANGED, _ERRORS):  # files that are gone by now are errors
            raise DumpFailed(tar.returncode, tuple(errors.decode(errors="backslashreplace").splitlines()))
        would_be = {unescaped(line.decode(errors="surrogateescape")).rstrip(b"/") for line in said.splitlines()}
        return tuple(path for path in paths if path in would_be)

    def selected(self, source: DumpSource) -> Iterator[bytes]:
        """
        The paths that a full dump of *source* would have now, as it names them.

        Raises:
            DumpFailed: tar could not find it out.
        """
        with _folder_for(None) as (_, snapshot, _kept):
            command = [*self._create(source, str(snapshot), "/dev/null"), "--verbose", "--quoting-style=escape"]
            tar = _started(command, stdout=subprocess.PIPE)
            with _ended(tar):
                assert tar.stdout is not None
                assert tar.stderr is not None
                messages = _Messages(tar.stderr)
                for line in tar.stdout:
                    yield unescaped(os.fsdecode(line.rstrip(b"\n"))).rstrip(b"/")
                said = messages.wait()
                if tar.wait() not in (0, _SOME_CHANGED, _ERRORS):
                    raise DumpFailed(tar.returncode, said)

    def estimate(self, source: DumpSource, before: bytes | None) -> Estimate:
        with self._counting(source, before) as counting:
            return counting.count()

    def start(
        self,
        source: DumpSource,
        before: bytes | None,
        foresee: Callable[[Estimate], None] | None = None,
        *,
        is_whole: bool = True,
    ) -> _RunningTar:
        running = self._running(source, before, is_whole=is_whole)
        if foresee is not None:
            running.look_ahead(self._counting(source, before), foresee)
        return running

    def _running(self, source: DumpSource, before: bytes | None, *, is_whole: bool) -> _RunningTar:
        selection = evolve(self.selection(source), is_whole=is_whole)
        with _folder_for(before) as (folder, snapshot, kept):
            tar = _started(self._create(source, str(snapshot), "-"), stdout=subprocess.PIPE)
            assert tar.stderr is not None
            kept.pop_all()
            return _RunningTar(tar, folder, _member(source), TarMessages(tar.stderr), snapshot, before, selection)

    def _counting(self, source: DumpSource, before: bytes | None) -> _CountingTar:
        with _folder_for(before) as (folder, snapshot, kept):
            # GNU tar reads no file when the archive is /dev/null
            command = [*self._create(source, str(snapshot), "/dev/null"), "--verbose", "--totals"]
            tar = _started(command, stdout=subprocess.PIPE)
            assert tar.stderr is not None
            kept.pop_all()
            return _CountingTar(tar, folder, _member(source), TarMessages(tar.stderr))

    def extract(
        self, blocks: Iterable[bytes], into: str, *, label: str, incremental: bool, numeric_owner: bool
    ) -> tuple[str, ...]:
        program = shutil.which(self.program) or self.program  # resolve a relative path before the directory changes
        command = [
            str(Path(program).absolute()),
            "--extract",
            "--preserve-permissions",
            "--xattrs",
            "--xattrs-include=*",
            "--acls",
            "--delay-directory-restore",  # other programs write the files of a directory after other directories
            *(["--listed-incremental=/dev/null"] if incremental else []),
            *(["--numeric-owner"] if numeric_owner else []),
            "--file=-",
        ]
        # Started in the directory, not with --directory: tar makes temporary names of renames where it was started.
        tar = _started(command, stdin=subprocess.PIPE, cwd=into)
        with _ended(tar):
            assert tar.stdin is not None
            assert tar.stderr is not None
            messages = _Messages(tar.stderr)
            # if tar gave up, its own messages below say why
            with suppress(BrokenPipeError):
                for block in blocks:
                    tar.stdin.write(block)
                tar.stdin.close()
            said = messages.wait()
            status = tar.wait()
        if status:
            raise ExtractFailed(label, status, said)
        return said

    def _create(self, source: DumpSource, snapshot: str, file: str) -> list[str]:
        return [
            self.program,
            "--create",
            "--format=posix",
            f"--file={file}",
            f"--listed-incremental={snapshot}",
            # a "Directory is new" for each directory would hide every other message
            "--warning=no-new-directory",
            "--warning=no-rename-directory",
            *(["--one-file-system"] if source.one_file_system else []),
            *(["--sparse"] if source.sparse else []),
            *(["--xattrs"] if source.xattrs else []),
            *(["--acls"] if source.acls else []),
            *_selecting(source),
            f"--add-file={_member(source)}",
        ]


@define(eq=False)
class _Tar:
    """A tar that makes a dump. Leaving the context ends tar, and removes *folder* with its snapshot file."""

    _tar: subprocess.Popen[bytes]
    _folder: Path
    _root: str
    _messages: TarMessages

    def _has_gone_on(self, status: int, *vital: bytes) -> bool:
        """
        Whether the only failure is that some files could not be read.

        Neither the top directory nor a path in *vital* may be among them.
        """
        needed = (os.fsencode(self._root), *vital)
        is_there = all(one.path.rstrip(b"/") not in needed for one in self._messages.unreadable)
        return status == _ERRORS and self._messages.went_on and is_there

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _ended(self._tar):
            pass
        shutil.rmtree(self._folder, ignore_errors=True)


@define(eq=False)
class _CountingTar(_Tar):
    def count(self) -> Estimate:
        """
        The size of the dump, once tar has ended.

        Raises:
            DumpFailed: tar failed.
        """
        members = 0
        assert self._tar.stdout is not None
        while block := self._tar.stdout.read(_BLOCK_BYTES):
            members += block.count(b"\n")
        said = self._messages.wait()
        status = self._tar.wait()
        if status not in (0, _SOME_CHANGED) and not self._has_gone_on(status):
            raise DumpFailed(status, said)
        totals = [match for line in said if (match := _TOTAL.match(line))]
        return Estimate(members, int(totals[-1][1]) if totals else 0)


@define(eq=False)
class _RunningTar(_Tar):
    _snapshot: Path
    _before: bytes | None
    _selection: Selection
    _ahead: _CountingTar | None = None
    _end: DumpEnd | None = None

    def look_ahead(self, counting: _CountingTar, foresee: Callable[[Estimate], None]) -> None:
        """Pass the result of *counting* to *foresee*, if it arrives before this tar is ended."""
        self._ahead = counting

        def look() -> None:
            with suppress(DumpFailed, OSError, ValueError):  # it was ended, and its pipes closed
                foresee(counting.count())

        threading.Thread(target=look, name="tar looks ahead", daemon=True).start()

    def __iter__(self) -> Iterator[bytes]:
        assert self._tar.stdout is not None
        while block := self._tar.stdout.read(_BLOCK_BYTES):
            yield block

    def finish(self) -> DumpEnd:
        if self._end is None:
            said = self._messages.wait()
            status = self._tar.wait()
            if status not in (0, _SOME_CHANGED):
                is_whole = self._has_gone_on(status, os.fsencode(self._snapshot)) and self._messages.are_all_known
                if not is_whole:
                    raise DumpFailed(status, said)
            unreadable = tuple(self._messages.unreadable)
            left = settled(self._before, self._snapshot.read_bytes(), [one.path for one in unreadable])
            if unreadable and left.changes is not None and not left.changes.files:
                raise DumpFailed(status, said)  # for example, the top directory could not be read: the dump is empty
            is_clean = status != _SOME_CHANGED and not self._messages.changed
            told = self._messages.unreadable_messages
            kept = remembering(left.snapshot, self._selection)
            self._end = DumpEnd(kept, said, is_clean, unreadable, told, left.changes)
        return self._end

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ahead is not None:
            self._ahead.__exit__(kind, error, trace)
        super().__exit__(kind, error, trace)


class _Messages:
    """The last lines that a program writes to its standard error, read in a thread of its own."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._lines: deque[str] = deque(maxlen=_KEPT_MESSAGES)
        self._thread = threading.Thread(target=self._read, args=(stream,), name="tar messages", daemon=True)
        self._thread.start()

    def wait(self) -> tuple[str, ...]:
        """Wait for the end and return the lines."""
        self._thread.join()
        return tuple(self._lines)

    def _read(self, stream: IO[bytes]) -> None:
        with suppress(ValueError, OSError):  # closed when the program was ended
            for line in stream:
                self._lines.append(line.decode(errors="backslashreplace").rstrip("\n").removeprefix("tar: "))


class _ended:
    """Ensures on exit that the program has ended, and its pipes are closed."""

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
    command: list[str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
    cwd: str | None = None,
) -> subprocess.Popen[bytes]:
    try:
        # a session of its own, so that Ctrl-C reaches only this process, and tar's children end with tar
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=_environment(),
            start_new_session=True,
        )
    except OSError as error:
        raise FolderUnusable(command[0], error.strerror or str(error)) from error


def _selecting(source: DumpSource) -> list[str]:
    """The options for exclusions and for the directory of *source*."""
    parent = source.directory.rstrip("/").rpartition("/")[0]
    return [
        *(f"--exclude={pattern}" for pattern in source.exclude),
        *(f"--exclude-from={listed}" for listed in source.exclude_from),
        f"--directory={parent or '/'}",
    ]


def _member(source: DumpSource) -> str:
    """The path that all members of the dump start with."""
    return source.directory.rstrip("/").rpartition("/")[2] or "."


@contextmanager
def _folder_for(before: bytes | None) -> Iterator[tuple[Path, Path, ExitStack]]:
    """A private folder, with the snapshot file *before* in it; removed unless the stack is taken over."""
    folder = Path(tempfile.mkdtemp(prefix="tarkeep-"))
    with ExitStack() as kept:
        kept.callback(shutil.rmtree, folder, ignore_errors=True)
        snapshot = folder / "snapshot"
        if before is not None:
            snapshot.write_bytes(before)
        yield folder, snapshot, kept


def _patterns_in(listed: str) -> Iterator[str]:
    """The patterns in a file as tar reads them: one per line, without trailing spaces."""
    try:
        lines = Path(listed).read_bytes().split(b"\n")
    except OSError as error:
        raise FolderUnusable(listed, error.strerror or str(error)) from error
    for line in lines:
        if pattern := line.partition(b"\0")[0].rstrip(b" \t\v\f\r"):
            yield os.fsdecode(pattern)


def _environment() -> dict[str, str]:
    ignored = ("TAR_OPTIONS", "POSIXLY_CORRECT", "GZIP")
    return {**{name: value for name, value in os.environ.items() if name not in ignored}, "LC_ALL": "C"}
