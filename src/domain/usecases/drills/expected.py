"""What the tree at a point must be like once it is restored: the server's own account of its archives."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TypeAlias

from attrs import frozen

from ...drills.manifest import ManifestLine
from ...errors.archives import ArchiveCorrupt
from ...errors.restoring import PathNotFound
from ...tar.members import Member, MemberType
from ...tar.paths import split
from ...tar.read_headers import read_to_show
from ...trees.tree import Entry
from ..reading.archive_members import ArchiveMembers
from ..restoring.open_point import OpenedPoint
from .digests import DigestMembers, MemberDigests

_AT_ONCE = 10_000

_Content: TypeAlias = tuple[int, int]
"""The number of an archive and the position of a member there."""


@frozen
class ExpectedNames:
    """
    The lines that a restored tree must have.

    No use case: a drill and a rehearsal share it.
    """

    members: ArchiveMembers
    digest: DigestMembers

    def of(
        self, opened: OpenedPoint, folders: Sequence[bytes] = (), *, with_folder_times: bool = True
    ) -> Iterator[ManifestLine]:
        """
        The lines of the tree, or of what is at and below *folders*, none of which is within another, in their order.

        Every file is read before the first line comes. Without *with_folder_times* those of directories are unknown.

        Raises:
            PathNotFound: the tree does not have one of *folders*.
            ArchiveCorrupt: an archive is damaged.
        """
        for folder in folders:
            if opened.tree.entry(folder) is None:
                raise PathNotFound(folder)
        below = tuple(folders) or (b"",)
        digests = self._digests(opened, below)
        parts = [self._lines(opened, folder, digests, with_folder_times=with_folder_times) for folder in below]
        return heapq.merge(*parts, key=lambda line: line.place)

    def outlined(self, opened: OpenedPoint) -> Iterator[ManifestLine]:
        """The lines of the whole tree without the contents of its files: no archive is read."""
        nothing = [MemberDigests((), bytearray()) for _ in opened.archives]
        return self._lines(opened, b"", nothing, with_folder_times=True)

    def _digests(self, opened: OpenedPoint, below: Sequence[bytes]) -> Sequence[MemberDigests]:
        wanted: list[set[int]] = [set() for _ in opened.archives]
        for folder in below:
            for number, taken in enumerate(opened.tree.taken(folder)):
                wanted[number].update(taken.positions, taken.elsewhere)
        return [
            self.digest(archive, sorted(positions)) for archive, positions in zip(opened.archives, wanted, strict=True)
        ]

    def _lines(
        self, opened: OpenedPoint, below: bytes, digests: Sequence[MemberDigests], *, with_folder_times: bool
    ) -> Iterator[ManifestLine]:
        groups = _groups(opened, below)
        own = opened.tree.entry(below)
        entries: Iterable[Entry] = opened.tree.search(b"", below)
        if own is not None and (below or own.at is not None):
            entries = chain((own,), entries)
        left = iter(entries)
        while some := list(islice(left, _AT_ONCE)):
            found = self._read(opened, some)
            for entry in some:
                place = _place(entry)
                member = None if place is None else found.get(place)
                if member is None or place is None:
                    yield ManifestLine(entry.path, MemberType.DIRECTORY)
                elif entry.is_directory:
                    mtime_ns = member.mtime_ns if with_folder_times else None
                    yield ManifestLine(entry.path, MemberType.DIRECTORY, member.mode, mtime_ns)
                else:
                    yield _line(entry.path, member, digests[place[0]].of(place[1]), groups.get(place))

    def _read(self, opened: OpenedPoint, entries: Sequence[Entry]) -> dict[_Content, Member]:
        wanted: dict[int, set[int]] = {}
        for place in map(_place, entries):
            if place is not None:
                wanted.setdefault(place[0], set()).add(place[1])
        found: dict[_Content, Member] = {}
        for number, positions in wanted.items():
            archive = opened.archives[number]
            for record in self.members.at(archive, sorted(positions)):
                found[number, record.at] = read_to_show(record)
                positions.discard(record.at)
            if positions:
                raise ArchiveCorrupt(archive.id)
        return found


def _place(entry: Entry) -> _Content | None:
    archive, at = entry.content_archive, entry.content_at
    return None if archive is None or at is None else (archive, at)


def _line(path: bytes, member: Member, digest: bytes | None, group: bytes | None) -> ManifestLine:
    match member.type:
        case MemberType.SYMLINK:
            return ManifestLine(path, member.type, None, member.mtime_ns, None, member.link, group)
        case MemberType.FILE:
            return ManifestLine(path, member.type, member.mode, member.mtime_ns, member.size_bytes, digest, group)
    return ManifestLine(path, member.type, member.mode, member.mtime_ns, None, None, group)


def _groups(opened: OpenedPoint, below: bytes) -> Mapping[_Content, bytes]:
    """The first path of each member that has several, at and below *below*."""
    return {
        (number, at): min(paths, key=split)
        for number, taken in enumerate(opened.tree.taken(below))
        for at, paths in taken.elsewhere.items()
        if len(paths) > 1
    }
