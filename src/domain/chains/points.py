"""
The points in time to which a profile can be restored, and the plan for each.

Every archive is a point: the state of the tree right after it was taken. A point says whether it restores, from which
archives, how surely, and if not, what the obstacles are. A plan is always for the requested point, never silently for
another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from attrs import field, frozen

from ..archives.archive import BackupArchive
from ..errors.restoring import PointNotFound, PointNotRestorable
from ..identity.archive_id import ArchiveId
from .link import Evidence, Link
from .neighbours import order, sorted_archives
from .seen import CLEAR, Seen
from .standing import (
    Doubt,
    Fidelity,
    Obstacle,
    PlacedArchive,
    Standing,
    names_missing,
    own_obstacles,
    parents_first,
    seen_of,
    standing_of,
)

NEAREST_NAMED = 10
"""How many restorable points are suggested in place of one that does not restore."""


@frozen
class RestorePoint:
    """
    The state of the tree right after *archive* was taken.

    *standing* is the verdict on its path, *own_obstacles* those found at the archive itself.
    """

    archive: BackupArchive
    link: Link
    standing: Standing
    own_obstacles: tuple[Obstacle, ...]
    # Shared, not copied: a path spelled out at each of 1,000 points in one chain would be 500,000 ids.
    _before: RestorePoint | None = field(eq=False, repr=False)

    @property
    def size_bytes(self) -> int:
        """The size of all archives of the path together."""
        return self.standing.size_bytes

    @property
    def length(self) -> int:
        """The number of archives in the path."""
        return self.standing.length

    @property
    def fidelity(self) -> Fidelity:
        return self.standing.fidelity

    @property
    def evidence(self) -> Evidence:
        """The weakest among the links of the path."""
        return self.standing.evidence

    @property
    def is_restorable(self) -> bool:
        return self.standing.is_restorable

    @property
    def own_doubts(self) -> tuple[Doubt, ...]:
        return self.standing.doubts

    @property
    def path(self) -> tuple[ArchiveId, ...]:
        """The archives that restore it, in order, a FULL first; if it does not restore, as far back as known."""
        return tuple(archive.id for archive in self.archives)

    @property
    def archives(self) -> tuple[BackupArchive, ...]:
        """The archives of the path."""
        return tuple(point.archive for point in self._forward())

    @property
    def obstacles(self) -> tuple[Obstacle, ...]:
        """The obstacles along the whole path; empty if it is restorable."""
        found = tuple(obstacle for point in self._forward() for obstacle in point.own_obstacles)
        return found + names_missing(self.archive.id, self.standing.seen)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """The doubts about all archives of the path."""
        return tuple(doubt for point in self._forward() for doubt in point.own_doubts)

    def _forward(self) -> list[RestorePoint]:
        points = []
        at: RestorePoint | None = self
        while at is not None:
            points.append(at)
            at = at._before
        points.reverse()
        return points


def restore_points(
    archives: Iterable[BackupArchive], links: Mapping[ArchiveId, Link], seen: Mapping[ArchiveId, Seen] | None = None
) -> tuple[RestorePoint, ...]:
    """
    A point for every archive that has a link, in the order in which they were taken.

    *links* are those of `link_archives` for the same archives, *seen* is what the names of points showed.

    Cost: O(n) after sorting.
    """
    seen = seen or {}
    ordered = [archive for archive in sorted_archives(archives) if archive.id in links]
    stored = {archive.id: archive for archive in ordered}
    points: dict[ArchiveId, RestorePoint] = {}
    for id in parents_first({id: links[id].parent for id in stored}, lambda id: order(stored[id])):
        parent = links[id].parent
        before = points.get(parent) if parent is not None else None
        points[id] = _point(stored[id], links[id], before, seen.get(id, CLEAR))
    return tuple(points[archive.id] for archive in ordered)


def _point(archive: BackupArchive, link: Link, before: RestorePoint | None, seen: Seen) -> RestorePoint:
    parent = None if before is None else PlacedArchive(before.archive, before.link, before.standing)
    own = tuple(own_obstacles(archive, link, has_parent=before is not None))
    place = seen_of(PlacedArchive(archive, link, standing_of(archive, link, parent)), seen)
    assert place.standing is not None
    return RestorePoint(archive, link, place.standing, own, before)


# -- plans -----------------------------------------------------------------------------------------------------------


@frozen
class Plan:
    """
    The archives that restore *point*, to be extracted in this order into an empty directory.

    *distrust* says why GNU tar, extracting them, would not produce the tree of the point, as a clause; it is empty if
    tar would. *objection* says why tar must not extract them at all (see `footprints`), likewise; then *distrust* says
    the same. The tree merged from them is right all the same.
    """

    point: RestorePoint
    archives: tuple[ArchiveId, ...]
    distrust: str = ""
    objection: str = ""

    @property
    def is_sound(self) -> bool:
        return not self.distrust


def plan_restore(points: Iterable[RestorePoint], at: datetime | ArchiveId | None = None) -> Plan:
    """
    How to restore the tree as it was at a time, right after an archive was taken, or (None) at the latest point.

    A time means the newest point taken at or before it, whether that restores or not: an older state is never
    substituted for the requested one. A point that is dated ahead is chosen only if there is no other by then.

    Raises:
        PointNotFound: no point exists at or before that time, or for that archive.
        PointNotRestorable: something is missing or damaged; the error names the nearest points that restore.
    """
    known = tuple(points)
    point = _chosen(known, at)
    if not point.is_restorable:
        reasons = tuple(f"{obstacle.archive}: {obstacle.reason}" for obstacle in point.obstacles)
        raise PointNotRestorable(point.archive.id, reasons, _nearest(known, point))
    return Plan(point, point.path, point.standing.distrust, point.standing.seen.objection)


def _chosen(points: tuple[RestorePoint, ...], at: datetime | ArchiveId | None) -> RestorePoint:
    if isinstance(at, ArchiveId):
        candidates = tuple(point for point in points if point.archive.id == at)
    else:
        by_then = tuple(point for point in points if at is None or point.archive.placed_at <= at)
        candidates = tuple(point for point in by_then if not point.archive.is_dated_ahead) or by_then
    if not candidates:
        raise PointNotFound(
            at=str(at) if at is not None else "latest", earliest=points[0].archive.placed_at if points else None
        )
    return candidates[-1]


def _nearest(points: tuple[RestorePoint, ...], to: RestorePoint) -> tuple[ArchiveId, ...]:
    restorable = [point for point in points if point.is_restorable]
    restorable.sort(key=lambda point: (abs(point.archive.placed_at - to.archive.placed_at), point.archive.id))
    return tuple(point.archive.id for point in restorable[:NEAREST_NAMED])
