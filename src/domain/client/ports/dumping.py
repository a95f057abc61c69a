"""
Making a dump: what to dump, and the ports of the programs that do it.

A dump is the bytes of a tar, and the snapshot file that the next dump continues from. The snapshot file comes from the
server and goes back to it; nothing of it stays on this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from attrs import frozen

from ...errors.client import DumpFailed, DumpTooLarge
from ...errors.settings import InvalidSetting
from ...text.paths import path_text
from ..selection import Selection


@frozen
class DumpSource:
    """
    What to dump: *directory*, an absolute path without links, under its own name.

    *exclude* are patterns as GNU tar takes them, *exclude_from* files that hold such patterns. *sparse* looks for holes
    in files, *xattrs* and *acls* keep what their names say.
    """

    directory: str
    exclude: tuple[str, ...] = ()
    exclude_from: tuple[str, ...] = ()
    one_file_system: bool = False
    sparse: bool = False
    xattrs: bool = False
    acls: bool = False

    def __attrs_post_init__(self) -> None:
        if not self.directory.startswith("/"):
            raise InvalidSetting("directory", f"must be absolute, is {self.directory}")


@frozen
class Unreadable:
    """A file, or a directory with all that is in it, that was not read or not to its end. *path* as tar names it."""

    path: bytes
    reason: str

    def __str__(self) -> str:
        return f"{path_text(self.path)} could not be read: {self.reason}"


@frozen
class Changes:
    """How many files there are of each sort, by what the dump before this one had; directories are not counted."""

    new: int
    changed: int
    unchanged: int
    deleted: int

    @property
    def files(self) -> int:
        """Those that there are, and that could be read or have not changed."""
        return self.new + self.changed + self.unchanged


@frozen
class DumpEnd:
    """
    How a dump came to its end: the snapshot file it left, and the *messages* of tar, errors first.

    *is_clean* is false where files changed, grew or went away while they were read. *unreadable* are those that are
    missing from the dump, or have zeros from some byte on; the next dump tries them again, and *messages* begin with
    *unreadable_messages* about them. *changes* is None where nobody can say.
    """

    snapshot: bytes
    messages: tuple[str, ...]
    is_clean: bool
    unreadable: tuple[Unreadable, ...] = ()
    unreadable_messages: int = 0
    changes: Changes | None = None


@frozen
class Estimate:
    """What a dump would hold: its members, directories among them, and the bytes of the files."""

    members: int
    size_bytes: int


def _nobody(_count_bytes: int) -> None:
    """For dumps that nobody watches."""


@frozen
class Watch:
    """
    Who watches a dump being made.

    *read* is told of every piece how many bytes of the tar it has. *foresee* is told, by another thread, what the dump
    will hold, if anybody wants to know: a second tar finds that out beside the first.
    """

    read: Callable[[int], None] = _nobody
    foresee: Callable[[Estimate], None] | None = None


NOBODY = Watch()


class RunningDump(AbstractContextManager["RunningDump", None], Protocol):
    """A tar on its way. Leaving the context ends it, whether it has come to its end or not."""

    def __iter__(self) -> Iterator[bytes]:
        """The tar, in blocks of at most 1 MiB."""

    def finish(self) -> DumpEnd:
        """
        How it ended, after the last block.

        Raises:
            DumpFailed: not well. Over single files that cannot be read it goes on, but not where none can.
        """


class Dumper(Protocol):
    """A program that makes incremental dumps."""

    def check(self) -> None:
        """
        See that it is there.

        Raises:
            TarUnusable: it is not, or cannot do what is needed.
        """

    def command(self, source: DumpSource) -> list[str]:
        """What will be run, with ``SNAPSHOT`` for the snapshot file."""

    def selection(self, source: DumpSource) -> Selection:
        """
        What decides which files a dump of *source* has.

        Raises:
            FolderUnusable: a file of patterns cannot be read.
        """

    def selection_of(self, snapshot: bytes) -> Selection | None:
        """What the dump that left *snapshot* was made of, where that was remembered."""

    def archivable(self, source: DumpSource, paths: Sequence[bytes]) -> tuple[bytes, ...]:
        """
        Those of *paths*, as a dump of *source* names them, that are there now and would be in a full one.

        Raises:
            DumpFailed: it cannot be found out.
        """

    def estimate(self, source: DumpSource, before: bytes | None) -> Estimate:
        """
        What a dump that continues from the snapshot file *before* would hold, None for a full one.

        Raises:
            DumpFailed: it cannot be found out.
        """

    def start(
        self,
        source: DumpSource,
        before: bytes | None,
        foresee: Callable[[Estimate], None] | None = None,
        *,
        is_whole: bool = True,
    ) -> RunningDump:
        """
        Begin a dump that continues from the snapshot file *before*, None for a full one.

        *foresee* is called by another thread with what `estimate` finds out meanwhile, if it does. *is_whole* is
        remembered of it (see `Selection`).
        """


class Compressor(Protocol):
    """Makes a ``.gz`` of what comes."""

    def __call__(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """*blocks*, compressed. Where they raise, so does this, before the last of what they gave comes out."""


@frozen
class Limits:
    """The most that a server takes of one archive, as it is sent and as what is in it; None is no limit."""

    max_upload_bytes: int | None = None
    max_unpacked_bytes: int | None = None


NO_LIMITS = Limits()


@frozen
class Making:
    """
    How dumps are made: over files that cannot be read, unless it is to be *strict*, and within the server's *limits*.
    """

    dumper: Dumper
    compress: Compressor
    strict: bool = False
    limits: Limits = NO_LIMITS

    def blocks(self, dump: RunningDump, watch: Watch) -> Iterator[bytes]:
        """
        The archive that *dump* makes, which has no end unless it is a good one.

        Raises:
            DumpFailed: it is none; also where a file could not be read and it is to be strict.
            DumpTooLarge: the server would not take so much.
        """
        unpacked = _within(self._to_a_good_end(dump, watch), self.limits.max_unpacked_bytes, "max_unpacked_bytes")
        return _within(self.compress(unpacked), self.limits.max_upload_bytes, "max_upload_bytes")

    def _to_a_good_end(self, dump: RunningDump, watch: Watch) -> Iterator[bytes]:
        for block in dump:
            yield block
            watch.read(len(block))
        end = dump.finish()
        if self.strict and end.unreadable:
            raise DumpFailed(2, end.messages)


def _within(blocks: Iterable[bytes], limit_bytes: int | None, setting: str) -> Iterator[bytes]:
    passed = 0
    for block in blocks:
        passed += len(block)
        if limit_bytes is not None and passed > limit_bytes:
            raise DumpTooLarge(limit_bytes, setting)
        yield block
