"""
The history of one path: the archives of a profile in which it came, changed, was renamed with its directory, or went.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from attrs import define, field, frozen

from ...archives.archive import BackupArchive
from ...comparing.silence import says_nothing_of
from ...names.name_table import NameTable, last_at, mark_of
from ...tar.dumpdirs import Mark, Rename
from ...tar.members import Member
from ...tar.paths import split
from ...tar.read_headers import read_member
from ...trees.history import HistoryEvent, Sighting, history, sightings
from ..reading.archive_members import NOT_IN_ORDER, ArchiveMembers
from ..restoring.load_points import LoadPoints


@frozen
class PathVersion:
    """
    What a path became with *archive*. *path* is the requested path, *was* its earlier path before a rename.

    *member* is its state from then on, as recorded in the archive *stored_in*; both are None once it was deleted.
    """

    archive: BackupArchive
    change: HistoryEvent
    path: bytes
    was: bytes | None
    member: Member | None
    stored_in: BackupArchive | None


@frozen
class TraceHistory:
    """The history of one path across the archives of a profile."""

    load: LoadPoints
    members: ArchiveMembers

    def __call__(self, profile: str, path: bytes) -> list[PathVersion]:
        """
        Every change of *path*, the oldest first; points that do not restore are left out.

        Cost: finding one name in each archive of the profile.

        Raises:
            ProfileNotFound: no archive of the profile is stored.
            ArchiveCorrupt: an archive that had to be read is damaged.
        """
        points = [point for point in self.load(profile).all() if point.is_restorable]
        archives = [point.archive for point in points]
        position = {archive.id: number for number, archive in enumerate(archives)}
        parents = [position[point.link.parent] if point.link.parent is not None else None for point in points]
        found = history(path, parents, _Looks(self.members, archives, parents))
        return [
            PathVersion(
                archives[version.archive],
                version.change,
                version.path,
                version.was,
                version.member,
                None if version.stored_in is None else archives[version.stored_in],
            )
            for version in found
        ]


@define
class _Looks:
    """Looks for one path in *archives*; *parents* gives the index of the archive that each builds on."""

    members: ArchiveMembers
    archives: Sequence[BackupArchive]
    parents: Sequence[int | None]
    _apart: tuple[int, Sequence[NameTable]] | None = field(default=None, init=False)  # of the last joined archive
    _marks: dict[tuple[bytes, bytes], Mark | None] = field(factory=dict)  # by the digest of a listing, and the path

    def __call__(self, index: int, path: bytes) -> Sequence[Sighting]:
        archive, parent = self.archives[index], self.parents[index]
        like = None if parent is None else self.archives[parent]
        try:
            found = self.members.again(lambda: [self._found(each, path) for each in self._tables(index, like)])
        except NOT_IN_ORDER:
            return sightings(path, map(read_member, self.members.perhaps_named(archive, path)))
        return [
            Sighting(
                is_silent,
                mark,
                None if at is None else self.members.member(archive, at),
                renames,
                partial(self._directories, index, like, part),
            )
            for part, (at, mark, is_silent, renames) in enumerate(found)
        ]

    def _tables(self, index: int, like: BackupArchive | None) -> Sequence[NameTable]:
        """The tables of the dumps in an archive: mostly one, several if tar joined dumps in it."""
        archive = self.archives[index]
        table = self.members.table(archive, like)
        if not table.is_joined:
            return [table]
        if self._apart is None or self._apart[0] != index:  # splitting reads the whole archive
            self._apart = index, self.members.parts(archive)
        return self._apart[1]

    def _directories(self, index: int, like: BackupArchive | None, part: int) -> Sequence[bytes]:
        try:
            return self.members.again(lambda: self._tables(index, like)[part].directories())
        except NOT_IN_ORDER:
            return ()

    def _found(self, table: NameTable, path: bytes) -> tuple[int | None, Mark | None, bool, tuple[Rename, ...]]:
        is_silent = says_nothing_of(table, split(path)[0])
        return last_at(table, path), self._mark(table, path), is_silent, tuple(table.renames)

    def _mark(self, table: NameTable, path: bytes) -> Mark | None:
        row = table.row(split(path)[0])
        if row is None or not row.listed:
            return None
        # most directories have the same listing in most archives
        if (row.listed, path) not in self._marks:
            self._marks[row.listed, path] = mark_of(table, path)
        return self._marks[row.listed, path]
