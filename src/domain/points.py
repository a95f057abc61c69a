"""
The points in time that a profile can be restored to, and the plan that does it.

Every archive is a point: the state of the tree right after it was taken. A point says whether it restores, from which
archives, how surely, and if not what stands in its way. A plan is never silently for another point than the one that
was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import Enum

from attrs import field, frozen

from .archives import ArchiveId, ArchiveState, BackupArchive, BackupType, Kind
from .chains import Evidence, Link, base_types, has_unchanged, is_whole, sorted_archives
from .errors import PointNotFound, PointNotRestorable
from .rules import ProfileRules

NEAREST_NAMED = 10
"""Restorable points that are named in place of one that is not."""


class Fidelity(Enum):
    """How much of the tree at a point the archives tell, from best to worst."""

    EXACT = "exact"  # all incremental: deletions and renames are known
    OVERLAY = "overlay"  # a plain archive is in the path: deleted names come back
    OPAQUE = "opaque"  # an archive in the path cannot be read

    @property
    def rank(self) -> int:
        """0 for the best."""
        return _RANKS[self]


_RANKS = {fidelity: rank for rank, fidelity in enumerate(Fidelity)}


class ObstacleKind(Enum):
    """Why a point does not restore."""

    MISSING_PARENT = "missing-parent"
    CONTRADICTED = "contradicted"
    CIRCLE = "circle"  # archives that are said to build on each other
    DAMAGED = "damaged"
    OPAQUE = "opaque"


@frozen
class Obstacle:
    """What keeps a point from being restored; *archive* is the one it was found at."""

    kind: ObstacleKind
    archive: ArchiveId
    reason: str


class DoubtKind(Enum):
    """What about an archive does not go with the type it was sent as."""

    UNCHANGED_IN_FULL = "unchanged-in-full"
    NOTHING_UNCHANGED = "nothing-unchanged"
    OTHER_ROOTS = "other-roots"


@frozen
class Doubt:
    """A warning about an archive: it may not be what it was sent as. It restores or not regardless."""

    kind: DoubtKind
    archive: ArchiveId
    reason: str


@frozen
class RestorePoint:
    """
    The state of the tree right after *archive* was taken.

    *size_bytes* is what all archives of the path have together, *length* their number, *evidence* the weakest among
    their links.
    """

    archive: BackupArchive
    link: Link
    size_bytes: int
    length: int
    fidelity: Fidelity
    evidence: Evidence
    is_restorable: bool
    own_obstacles: tuple[Obstacle, ...]
    own_doubts: tuple[Doubt, ...]
    # Shared, not copied: a path spelled out at each of 1,000 points in one chain would be 500,000 ids.
    _before: RestorePoint | None = field(eq=False, repr=False)

    @property
    def path(self) -> tuple[ArchiveId, ...]:
        """The archives that restore it, in order, a FULL first; of one that does not restore, as far back as known."""
        return tuple(point.archive.id for point in self._forward())

    @property
    def obstacles(self) -> tuple[Obstacle, ...]:
        """What keeps it from being restored, all along the path; none if it is restorable."""
        return tuple(obstacle for point in self._forward() for obstacle in point.own_obstacles)

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


def restore_points(archives: Iterable[BackupArchive], links: Mapping[ArchiveId, Link]) -> tuple[RestorePoint, ...]:
    """
    A point for every archive that has a link, in the order in which they were taken.

    *links* are those of `link_archives` for the same archives. Cost: O(n) behind the sorting.
    """
    ordered = [archive for archive in sorted_archives(archives) if archive.id in links]
    stored = {archive.id: archive for archive in ordered}
    points: dict[ArchiveId, RestorePoint] = {}
    for archive in ordered:
        for id in _from_known(archive.id, links, stored, points):
            link = links[id]
            before = points.get(link.parent) if link.parent is not None else None
            points[id] = _point(stored[id], link, before)
    return tuple(points[archive.id] for archive in ordered)


def _from_known(
    id: ArchiveId,
    links: Mapping[ArchiveId, Link],
    stored: Mapping[ArchiveId, BackupArchive],
    points: Mapping[ArchiveId, RestorePoint],
) -> Iterator[ArchiveId]:
    """*id* and those it builds on that have no point yet, the last first. A circle is cut open where it closes."""
    climbed: dict[ArchiveId, None] = {}
    at: ArchiveId | None = id
    while at is not None and at in stored and at not in points and at not in climbed:
        climbed[at] = None
        at = links[at].parent
    return reversed(climbed)


def _point(archive: BackupArchive, link: Link, before: RestorePoint | None) -> RestorePoint:
    obstacles = tuple(_obstacles(archive, link, before))
    fidelity, evidence = _fidelity(archive), link.evidence
    if before is not None:
        fidelity = max(fidelity, before.fidelity, key=lambda one: one.rank)
        evidence = max(evidence, before.evidence, key=lambda one: one.rank)
    return RestorePoint(
        archive=archive,
        link=link,
        size_bytes=archive.size_bytes + (before.size_bytes if before else 0),
        length=1 + (before.length if before else 0),
        fidelity=fidelity,
        evidence=evidence,
        is_restorable=not obstacles and (before is None or before.is_restorable),
        own_obstacles=obstacles,
        own_doubts=tuple(_doubts(archive, before)),
        before=before,
    )


def _fidelity(archive: BackupArchive) -> Fidelity:
    if archive.contents is None or archive.contents.kind is Kind.OPAQUE:
        return Fidelity.OPAQUE
    return Fidelity.EXACT if archive.contents.kind is Kind.INCREMENTAL else Fidelity.OVERLAY


def _obstacles(archive: BackupArchive, link: Link, before: RestorePoint | None) -> Iterator[Obstacle]:
    if link.evidence is Evidence.CONTRADICTED:
        yield Obstacle(ObstacleKind.CONTRADICTED, archive.id, link.reason)
    elif link.evidence is Evidence.ORPHAN:
        yield Obstacle(ObstacleKind.MISSING_PARENT, archive.id, link.reason)
    elif before is None and not link.is_base:
        yield Obstacle(ObstacleKind.CIRCLE, archive.id, f"what it is said to build on, {link.parent}, builds on it")
    if archive.state is ArchiveState.DAMAGED:
        yield Obstacle(ObstacleKind.DAMAGED, archive.id, "its stored bytes are damaged; send the same archive again")
    if archive.contents is None:
        yield Obstacle(ObstacleKind.OPAQUE, archive.id, "nobody has looked into it, so nobody can vouch for it")
    elif archive.contents.kind is Kind.OPAQUE:
        yield Obstacle(ObstacleKind.OPAQUE, archive.id, "it cannot be read as a tar; only its bytes can be given back")


def _doubts(archive: BackupArchive, before: RestorePoint | None) -> Iterator[Doubt]:
    if archive.id.type is BackupType.FULL and has_unchanged(archive):
        reason = "names in it are said to be elsewhere: they were excluded from the dump, or it is no full one"
        yield Doubt(DoubtKind.UNCHANGED_IN_FULL, archive.id, reason)
    if archive.id.type is not BackupType.FULL and is_whole(archive):
        yield Doubt(DoubtKind.NOTHING_UNCHANGED, archive.id, "nothing in it is unchanged: it may be a full dump")
    if before is not None:
        others = _roots(archive) - _roots(before.archive)
        if others and _roots(before.archive):
            reason = f"it begins at {', '.join(sorted(others))}, and {before.archive.id} does not"
            yield Doubt(DoubtKind.OTHER_ROOTS, archive.id, reason)


def _roots(archive: BackupArchive) -> frozenset[str]:
    return frozenset(archive.contents.roots if archive.contents is not None else ())


# -- plans -----------------------------------------------------------------------------------------------------------


@frozen
class Plan:
    """
    The archives that restore *point*, to be extracted in this order into an empty directory.

    *is_sound* unless directories were renamed between them in a way that GNU tar carries out wrongly (see
    `chains.Fit`). The tree merged from them is right all the same.
    """

    point: RestorePoint
    archives: tuple[ArchiveId, ...]
    is_sound: bool = True


def plan_restore(points: Iterable[RestorePoint], at: datetime | ArchiveId | None = None) -> Plan:
    """
    How to restore the tree as it was at a time, right after an archive was taken, or (None) as late as is known.

    A time means the newest point taken then or before, whether it restores or not: an older state is never given for
    the one that was asked for.

    Raises:
        PointNotFound: no point at or before that time, or for that archive.
        PointNotRestorable: something is missing or damaged; the error names the nearest points that restore.
    """
    known = tuple(points)
    point = _chosen(known, at)
    if not point.is_restorable:
        reasons = tuple(f"{obstacle.archive}: {obstacle.reason}" for obstacle in point.obstacles)
        raise PointNotRestorable(point.archive.id, reasons, _nearest(known, point))
    return Plan(point, point.path)


def _chosen(points: tuple[RestorePoint, ...], at: datetime | ArchiveId | None) -> RestorePoint:
    if at is None:
        candidates = points
    elif isinstance(at, ArchiveId):
        candidates = tuple(point for point in points if point.archive.id == at)
    else:
        candidates = tuple(point for point in points if point.archive.taken_at <= at)
    if not candidates:
        raise PointNotFound(
            at=str(at) if at is not None else "latest", earliest=points[0].archive.taken_at if points else None
        )
    return candidates[-1]


def _nearest(points: tuple[RestorePoint, ...], to: RestorePoint) -> tuple[ArchiveId, ...]:
    restorable = [point for point in points if point.is_restorable]
    restorable.sort(key=lambda point: (abs(point.archive.taken_at - to.archive.taken_at), point.archive.id))
    return tuple(point.archive.id for point in restorable[:NEAREST_NAMED])


def continue_from(points: Iterable[RestorePoint], type: BackupType, rules: ProfileRules) -> ArchiveId | None:
    """
    What the next archive of *type* should build on: the newest restorable point that the rules let it extend.

    None for a FULL, and where there is none, so that a FULL is due.
    """
    types = base_types(type, rules)
    fitting = [point.archive.id for point in points if point.archive.id.type in types and point.is_restorable]
    return fitting[-1] if fitting else None
