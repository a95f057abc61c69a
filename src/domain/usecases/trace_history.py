"""One path through time: in which archives of a profile it came, changed, was renamed with its directory, and went."""

from __future__ import annotations

from attrs import frozen

from ..archives import BackupArchive
from ..history import Change, Sighting, history, sight
from ..listings import canonical
from ..members import Member
from ..tar_headers import read_member
from .points import ListPoints
from .record_members import RecordMembers

_NAME_FIELD_BYTES = 90  # of a name this much stands in one piece in any header


@frozen
class PathVersion:
    """
    What a path became with *archive*. *path* is what was asked for, *was* where the same was before a rename.

    *member* is what is there since, as it stands in the archive *stored_in*; both None once it was deleted.
    """

    archive: BackupArchive
    change: Change
    path: bytes
    was: bytes | None
    member: Member | None
    stored_in: BackupArchive | None


@frozen
class TraceHistory:
    """The history of one path across the archives of a profile."""

    points: ListPoints
    members: RecordMembers

    def __call__(self, profile: str, path: bytes) -> list[PathVersion]:
        """
        Every change of *path*, the oldest first; points that do not restore tell nothing.

        Cost: the records of every archive of the profile, of which few are read.

        Raises:
            ProfileNotFound: no archive of the profile is stored.
            ArchiveCorrupt: an archive had to be read and is damaged.
        """
        points = [point for point in self.points(profile) if point.is_restorable]
        archives = [point.archive for point in points]
        position = {archive.id: number for number, archive in enumerate(archives)}
        parents = [position[point.link.parent] if point.link.parent is not None else None for point in points]
        found = history(path, parents, lambda index, wanted: self._sight(archives[index], wanted))
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

    def _sight(self, archive: BackupArchive, path: bytes) -> Sighting:
        # reading a record costs 30 times as much as finding that the name is not in it
        name = canonical(path).rpartition(b"/")[2][:_NAME_FIELD_BYTES]
        candidates = (record for record in self.members(archive) if record.is_directory or name in record.headers)
        return sight(path, map(read_member, candidates))
