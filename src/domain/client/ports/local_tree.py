"""A directory that a tree is restored into."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Protocol

from attrs import frozen


@frozen
class LocalEntry:
    """What lies at *path* here, in the server's terms; *inode* tells hard links from files that are equal."""

    path: bytes
    type: str
    size_bytes: int
    mtime_ns: int
    link: bytes
    inode: int


class LocalTree(Protocol):
    """A directory of this machine to restore into; opened once, it stays the same directory."""

    def prepare(self, *, may_hold_something: bool) -> None:
        """
        Make the directory if it does not exist.

        Raises:
            TargetNotEmpty: it is not empty, and *may_hold_something* is false.
            FolderUnusable: it cannot be made or read, or it belongs to another user in a world-writable directory.
        """

    def make(self) -> None:
        """Make and open the directory, empty or not. Raises like `prepare`, but never `TargetNotEmpty`."""

    def unmake(self) -> None:
        """Remove the directories that `make` made, if they are empty."""

    @property
    def identity(self) -> str:
        """Tells this directory from every other, also from a later one of the same name."""

    @property
    def place(self) -> str:
        """The path by which a child process finds the directory."""

    def names(self) -> list[bytes]:
        """The names in it."""

    def paths(self) -> Generator[bytes, None, None]:
        """All paths in it, at any depth, each directory before its contents; the tree is left unchanged."""

    def links(self) -> Iterator[bytes]:
        """The paths of all symbolic links in it, at any depth."""

    def clear(self) -> None:
        """Remove everything in it, following no link."""

    def entries(self, path: bytes = b"") -> Iterator[LocalEntry]:
        """
        What lies at *path* and below it, as paths relative to the directory, which is not included. Yields nothing if
        *path* does not exist, or only through a link.
        """
