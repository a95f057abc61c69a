"""The directory that is backed up, as it is now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from attrs import frozen

from .dumping import DumpSource


@frozen
class LiveEntry:
    """
    What lies at *path*, which begins with the name of the directory that is dumped, in the server's terms.

    *inode* tells the file from every other one; *changed_ns* is when anything about it last changed, *mode* has its
    permission bits, *link* the target of a symbolic link.
    """

    path: bytes
    type: str
    size_bytes: int
    mtime_ns: int
    changed_ns: int
    mode: int
    link: bytes
    inode: tuple[int, int]


class LiveTree(Protocol):
    """What a full dump would have in it if it were made now."""

    def now_ns(self) -> int:
        """The time that a file would get that is changed now, in nanoseconds since the epoch."""

    def entries(self, source: DumpSource) -> Iterator[LiveEntry]:
        """
        Everything that a full dump of *source* would have, the directory itself too, in any order. What is excluded, of
        another file system, or of no type that tar takes, is left out as in the dump; so is what goes meanwhile.

        Raises:
            DumpFailed: it cannot be found out.
        """

    def entry(self, source: DumpSource, path: bytes) -> LiveEntry | None:
        """What lies at *path* now, whether a dump would have it or not; None if nothing does."""

    def blocks(self, source: DumpSource, path: bytes) -> Iterator[bytes]:
        """
        The bytes of the file at *path*.

        Raises:
            FolderUnusable: it cannot be read, or is no file any more.
        """
