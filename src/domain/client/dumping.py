"""
Making a dump: what to dump, and the ports of the programs that do it.

A dump is the bytes of a tar, and the snapshot file that the next dump continues from. The snapshot file comes from the
server and goes back to it; nothing of it stays on this machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from attrs import frozen

from ..errors import InvalidSetting


@frozen
class DumpSource:
    """
    What to dump: *directory*, an absolute path without links, under its own name.

    *exclude* are patterns as GNU tar takes them, *exclude_from* files that hold such patterns.
    """

    directory: str
    exclude: tuple[str, ...] = ()
    exclude_from: tuple[str, ...] = ()
    one_file_system: bool = False

    def __attrs_post_init__(self) -> None:
        if not self.directory.startswith("/"):
            raise InvalidSetting("directory", f"must be absolute, is {self.directory}")


@frozen
class DumpEnd:
    """
    How a dump ended well: the snapshot file it left, and the *messages* of tar.

    *is_clean* is false where files changed, grew or went away while they were read.
    """

    snapshot: bytes
    messages: tuple[str, ...]
    is_clean: bool


@frozen
class Estimate:
    """What a dump would hold: its members, directories among them, and the bytes of the files."""

    members: int
    size_bytes: int


class RunningDump(AbstractContextManager["RunningDump", None], Protocol):
    """A tar on its way. Leaving the context ends it, whether it has come to its end or not."""

    def __iter__(self) -> Iterator[bytes]:
        """The tar, in blocks of at most 1 MiB."""

    def finish(self) -> DumpEnd:
        """
        How it ended, after the last block.

        Raises:
            DumpFailed: not well.
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

    def estimate(self, source: DumpSource, before: bytes | None) -> Estimate:
        """
        What a dump that continues from the snapshot file *before* would hold, None for a full one.

        Raises:
            DumpFailed: it cannot be found out.
        """

    def start(self, source: DumpSource, before: bytes | None) -> RunningDump:
        """Begin a dump that continues from the snapshot file *before*, None for a full one."""


class Compressor(Protocol):
    """Makes a ``.gz`` of what comes."""

    def __call__(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """*blocks*, compressed. Where they raise, so does this, before the last of what they gave comes out."""
