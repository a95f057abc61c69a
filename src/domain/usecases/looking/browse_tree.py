"""
Looking into archives and points without restoring them: directories, names, the history of a path, one file.

Details of a name (size, time, owner) are in the records of the archive that carries it; a tree knows which one that is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, TypeVar

from attrs import frozen

from ...archives.archive import BackupArchive
from ...errors.archives import ArchiveCorrupt
from ...errors.restoring import MemberNotFound, PathNotFound
from ...ports.unpacking import Unpacker
from ...tar.members import Member, MemberType
from ...tar.paths import canonical
from ...tar.read_headers import read_to_show
from ...trees.tree import Entry
from ..reading.examine import ExamineArchive
from ..reading.read_members import ReadMembers
from ..restoring.open_point import OpenedPoint

PAGE_BYTES = 1 << 20
"""Bytes of names, owners and link targets on one page: a few members may have more of them than fit into memory."""

_MAX_LINKS = 8  # hops from one hard link to the next; GNU tar links only to files

Shown = TypeVar("Shown")


@frozen
class ShownPage(Generic[Shown]):
    """As many *entries* as were requested and fit into a page; *has_more* tells whether others follow."""

    entries: tuple[Shown, ...]
    has_more: bool


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
class BrowseTree:
    """List and search the tree at a point."""

    members: ReadMembers

    def directory(
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
        return self._described(opened, found, limit)

    def everything(
        self, opened: OpenedPoint, path: bytes, limit: int, after: bytes | None = None
    ) -> ShownPage[TreeEntry]:
        """Up to *limit* names at any depth below *path*, by directory and name, after the path *after*."""
        if opened.tree.entry(path) is None:
            raise PathNotFound(path)
        return self._described(opened, list(islice(opened.tree.search(b"", path, after), limit + 1)), limit)

    def search(
        self, opened: OpenedPoint, pattern: bytes, limit: int, after: bytes | None = None
    ) -> ShownPage[TreeEntry]:
        """Up to *limit* names that match *pattern* (see `Tree.search`), after the path *after*."""
        return self._described(opened, list(islice(opened.tree.search(pattern, after=after), limit + 1)), limit)

    def _described(self, opened: OpenedPoint, entries: Sequence[Entry], limit: int) -> ShownPage[TreeEntry]:
        described = self._read(opened, entries[:limit])
        page = _page((entry, len(entry.path) + _shown_bytes(entry.member)) for entry in described)
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
                total_bytes += _shown_bytes(member)
                if total_bytes > PAGE_BYTES and len(entries) > 1:
                    return None
        return members


def _shown_bytes(member: Member | None) -> int:
    return len(member.path) + len(member.link) + len(member.uname) + len(member.gname) if member is not None else 0


def _page(entries: Iterable[tuple[Shown, int]]) -> tuple[Shown, ...]:
    """The first of *entries*, given with their sizes, up to the one that fills the page."""
    page: list[Shown] = []
    total_bytes = 0
    for entry, size_bytes in entries:
        page.append(entry)
        total_bytes += size_bytes
        if total_bytes > PAGE_BYTES:
            break
    return tuple(page)


@frozen
class ListMembers:
    """The members of one archive, in its order."""

    members: ReadMembers

    def __call__(self, archive: BackupArchive, limit: int, after: int = -1) -> ShownPage[Member]:
        """Up to *limit* members, in the order of the tar, after the position *after*."""
        records = self.members(archive, start=after + 1)
        shown = map(read_to_show, islice(records, limit))
        page = _page((member, _shown_bytes(member)) for member in shown)
        return ShownPage(page, next(records, None) is not None)


@frozen
class ReadMember:
    """The content of one file in an archive."""

    members: ReadMembers
    unpacker: Unpacker
    examine: ExamineArchive

    def find(self, archive: BackupArchive, path: bytes) -> Member:
        """
        The member that extracting would leave at *path*: the last of that name; a hard link is followed to its file.

        Raises:
            MemberNotFound: the archive has no regular file with content at that path.
        """
        wanted = canonical(path)
        for _ in range(_MAX_LINKS):
            member = self.members.last(archive, wanted)
            if member is None:
                break
            if member.type is MemberType.FILE and not member.is_sparse:
                return member
            if member.type is not MemberType.HARD_LINK:
                break
            wanted = canonical(member.link)
        raise MemberNotFound(archive.id, path)

    def __call__(self, archive: BackupArchive, member: Member, start: int, stop: int) -> Iterator[bytes]:
        """
        The bytes of *member* from *start* to *stop*.

        Raises:
            ArchiveCorrupt: at the call if the damage is known, else while reading.
        """
        unpacked = self.unpacker.open(archive)

        def blocks() -> Iterator[bytes]:
            with self.examine.watching(archive), unpacked:
                left = stop - start
                for block in unpacked.read(member.data_at + start, member.data_at + stop):
                    left -= len(block)
                    yield block
                if left:
                    raise ArchiveCorrupt(archive.id)

        return blocks()
