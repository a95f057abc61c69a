"""A directory that a tree is restored into."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Protocol

from attrs import frozen


@frozen
class LocalEntry:
    """What lies at *path* here, in the words of the server; *inode* tells hard links from files that are equal."""

    path: bytes
    type: str
    size_bytes: int
    mtime_ns: int
    link: bytes
    inode: int


class LocalTree(Protocol):
    """A directory of this machine, as something to restore into; opened once, and the same ever after."""

    def prepare(self, *, may_hold_something: bool) -> None:
        """
        Make it where it is not there.

        Raises:
            TargetNotEmpty: it holds something, and may not.
            FolderUnusable: it cannot be made or read, or is another user's where everybody may make some.
        """

    def make(self) -> None:
        """Make and open it, whatever it holds. Raises like `prepare`, but `TargetNotEmpty`."""

    def unmake(self) -> None:
        """Remove what `make` made, where nothing is in it."""

    @property
    def identity(self) -> str:
        """What tells it from every other directory, also of the same name."""

    @property
    def place(self) -> str:
        """Where a program of this process finds it."""

    def names(self) -> list[bytes]:
        """The names in it."""

    def paths(self) -> Generator[bytes, None, None]:
        """The paths of everything in it, at any depth, a directory before what is in it; it is left as it was."""

    def links(self) -> Iterator[bytes]:
        """The paths of all symbolic links in it, at any depth."""

    def clear(self) -> None:
        """Remove everything in it, following no link."""

    def entries(self, path: bytes = b"") -> Iterator[LocalEntry]:
        """
        What lies at *path* and everything below it, as paths from the directory on; not the directory itself. Nothing
        where *path* is not there, or only by way of a link.
        """
