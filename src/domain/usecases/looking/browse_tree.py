"""
Looking at the tree of a point without restoring it: directories, everything below one, names that match.

Details of a name (size, time, owner) are in the records of the archive that carries it; a tree knows which one that is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from attrs import frozen

from ...archives.archive import BackupArchive
from ...errors.restoring import PathNotFound
from ...tar.members import Member
from ...tar.read_headers import read_to_show
from ...trees.tree import Entry
from ..reading.archive_members import ArchiveMembers
from ..restoring.open_point import OpenedPoint
from .pages import PAGE_BYTES, ShownPage, filled, shown_bytes


@frozen
class TreeEntry:
    """
    One name of a tree. *member* describes it, None for a directory that no archive describes; *archive* carries it.

    For a hard link, *member* is the file it leads to.
    """

    path: bytes
    member: Member | None
    archive: BackupArchive | None


@frozen
class DescribedNames:
    """Names of a tree as they are shown: a page of them, each described by its member."""

    members: ArchiveMembers

    def __call__(self, opened: OpenedPoint, entries: Sequence[Entry], limit: int) -> ShownPage[TreeEntry]:
        """The first *limit* of *entries* with their members; further entries only show that the page has more."""
        described = self._read(opened, entries[:limit])
        page = filled((entry, len(entry.path) + shown_bytes(entry.member)) for entry in described)
        return ShownPage(page, len(page) < len(entries))

    def _read(self, opened: OpenedPoint, entries: Sequence[Entry]) -> Iterator[TreeEntry]:
        """*entries* with their members; all are read together unless they would fill more than a page."""
        members = self._members(opened, entries)
        if members is None:
            half = len(entries) // 2
            yield from self._read(opened, entries[:half])
            yield from self._read(opened, entries[half:])
            return
        for entry in entries:
            archive, at = entry.content_archive, entry.content_at
            if archive is None or at is None:
                yield TreeEntry(entry.path, None, None)
            else:
                yield TreeEntry(entry.path, members.get((archive, at)), opened.archives[archive])

    def _members(self, opened: OpenedPoint, entries: Sequence[Entry]) -> dict[tuple[int, int], Member] | None:
        """The members of *entries*, by archive and position; None if they exceed a page and fewer should be read."""
        wanted: dict[int, set[int]] = {}
        for entry in entries:
            if entry.content_archive is not None and entry.content_at is not None:
                wanted.setdefault(entry.content_archive, set()).add(entry.content_at)
        members: dict[tuple[int, int], Member] = {}
        total_bytes = 0
        for index, places in wanted.items():
            for record in self.members.at(opened.archives[index], sorted(places)):
                member = members[index, record.at] = read_to_show(record)
                total_bytes += shown_bytes(member)
                if total_bytes > PAGE_BYTES and len(entries) > 1:
                    return None
        return members


@frozen
class ListDirectory:
    """List a directory of the tree at a point."""

    described: DescribedNames

    def __call__(
        self, opened: OpenedPoint, path: bytes, limit: int, after: bytes | None = None
    ) -> ShownPage[TreeEntry]:
        """
        Up to *limit* names in the directory *path*, in the order of their bytes, after the name *after*.

        For a path that is no directory, just the path itself.

        Raises:
            PathNotFound: *path* does not exist.
        """
        found = opened.tree.list(path, limit + 1, after)
        if found is None:
            entry = opened.tree.entry(path)
            if entry is None:
                raise PathNotFound(path)
            found = (entry,) if after is None else ()
        return self.described(opened, found, limit)


@frozen
class ListTree:
    """List the tree at a point, or all below one of its directories."""

    described: DescribedNames

    def __call__(
        self, opened: OpenedPoint, path: bytes, limit: int, after: bytes | None = None
    ) -> ShownPage[TreeEntry]:
        """Up to *limit* names at any depth below *path*, by directory and name, after the path *after*."""
        if opened.tree.entry(path) is None:
            raise PathNotFound(path)
        return self.described(opened, list(islice(opened.tree.search(b"", path, after), limit + 1)), limit)


@frozen
class SearchTree:
    """Search the tree at a point."""

    described: DescribedNames

    def __call__(
        self, opened: OpenedPoint, pattern: bytes, limit: int, after: bytes | None = None
    ) -> ShownPage[TreeEntry]:
        """Up to *limit* names that match *pattern* (see `Tree.search`), after the path *after*."""
        return self.described(opened, list(islice(opened.tree.search(pattern, after=after), limit + 1)), limit)
