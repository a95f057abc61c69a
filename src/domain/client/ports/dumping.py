"""
Making a dump: what to dump, and the ports of the programs that do it.

A dump is the bytes of a tar, and the snapshot file that the next dump continues from. The snapshot file comes from the
server and goes back to it; no copy stays on this machine.
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
    in files; *xattrs* and *acls* keep extended attributes and access control lists.
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
    """
    A file that was not read to its end, or a directory that was not read with its contents. *path* as tar names it.
    """

    path: bytes
    reason: str

    def __str__(self) -> str:
        return f"{path_text(self.path)} could not be read: {self.reason}"


@frozen
class Changes:
    """How many files are new, changed, unchanged or deleted since the dump before; directories are not counted."""

    new: int
    changed: int
    unchanged: int
    deleted: int

    @property
    def files(self) -> int:
        """The files that exist and are unchanged or could be read."""
        return self.new + self.changed + self.unchanged


@frozen
class DumpEnd:
    """
    How a dump ended: the snapshot file it left, and the *messages* of tar, errors first.

    *is_clean* is false where files changed, grew or went away while tar read them. *unreadable* are the files that the
    dump lacks, or holds with zeros from some byte on; the next dump tries them again, and the first
    *unreadable_messages* of *messages* are about them. *changes* is None where they cannot be counted.
    """

    snapshot: bytes
    messages: tuple[str, ...]
    is_clean: bool
    unreadable: tuple[Unreadable, ...] = ()
    unreadable_messages: int = 0
    changes: Changes | None = None


@frozen
class Estimate:
    """What a dump would hold: the number of members, directories included, and the bytes of the files."""

    members: int
    size_bytes: int


def _nobody(_count_bytes: int) -> None:
    """For dumps without a watcher."""


@frozen
class Watch:
    """
    The callbacks of a watcher of a dump.

    *read* gets the number of bytes of each piece of the tar. *foresee*, if given, gets from another thread what the
    dump will hold: a second tar finds that out beside the first.
    """

    read: Callable[[int], None] = _nobody
    foresee: Callable[[Estimate], None] | None = None


NOBODY = Watch()


class RunningDump(AbstractContextManager["RunningDump", None], Protocol):
    """A tar that is being made. Leaving the context ends it, complete or not."""

    def __iter__(self) -> Iterator[bytes]:
        """The tar, in blocks of at most 1 MiB."""

    def finish(self) -> DumpEnd:
        """
        How it ended, after the last block.

        Raises:
            DumpFailed: the dump is no good. It goes on past single unreadable files, but not if none can be read.
        """


class Dumper(Protocol):
    """A program that makes incremental dumps."""

    def check(self) -> None:
        """
        Check that the program can be used.

        Raises:
            TarUnusable: it is missing, or lacks a needed feature.
        """

    def command(self, source: DumpSource) -> list[str]:
        """The command that will run, with ``SNAPSHOT`` for the snapshot file."""

    def selection(self, source: DumpSource) -> Selection:
        """
        What decides which files a dump of *source* holds.

        Raises:
            FolderUnusable: a file of patterns cannot be read.
        """

    def selection_of(self, snapshot: bytes) -> Selection | None:
        """What the dump that left *snapshot* was made of, if that was remembered."""

    def archivable(self, source: DumpSource, paths: Sequence[bytes]) -> tuple[bytes, ...]:
        """
        Those of *paths*, named as a dump of *source* names them, that exist now and would be in a full dump.

        Raises:
            DumpFailed: tar could not find it out.
        """

    def estimate(self, source: DumpSource, before: bytes | None) -> Estimate:
        """
        What a dump that continues from the snapshot file *before* (None for a full dump) would hold.

        Raises:
            DumpFailed: tar could not find it out.
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
        Begin a dump that continues from the snapshot file *before* (None for a full dump).

        *foresee* is called by another thread with the result of an `estimate` made meanwhile, if it succeeds.
        *is_whole* is remembered with the dump (see `Selection`).
        """


class Compressor(Protocol):
    """Compresses a stream to a ``.gz``."""

    def __call__(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """*blocks*, compressed. Errors that they raise pass through, before the last of the compressed bytes."""


@frozen
class Limits:
    """The most that a server takes of one archive, compressed and unpacked; None means no limit."""

    max_upload_bytes: int | None = None
    max_unpacked_bytes: int | None = None


NO_LIMITS = Limits()


@frozen
class Making:
    """
    How dumps are made: past files that cannot be read, unless *strict*, and within the server's *limits*.
    """

    dumper: Dumper
    compress: Compressor
    strict: bool = False
    limits: Limits = NO_LIMITS

    def blocks(self, dump: RunningDump, watch: Watch) -> Iterator[bytes]:
        """
        The archive that *dump* makes; it reaches its end only if the dump is good.

        Raises:
            DumpFailed: the dump is no good; with *strict* also if a file could not be read.
            DumpTooLarge: the archive exceeds a limit of the server.
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
