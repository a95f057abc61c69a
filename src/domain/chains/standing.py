"""
The verdict on a point's path: whether it restores, from how much, how surely, and if not, why.

An archive's standing follows from the archive, its link, and the standing of its parent, so it is worked out once for
each archive and kept; after a change it is worked out again only for the changed archive and those after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from enum import Enum

from attrs import evolve, frozen

from ..archives.archive import ArchiveState, BackupArchive, Kind
from ..comparing.fit import Completeness
from ..identity.archive_id import ArchiveId, BackupType
from ..ranked import Ranked
from ..text.counted import counted
from ..text.times import rfc3339
from .link import Evidence, Link
from .links import has_unchanged, is_whole
from .neighbours import order
from .seen import CLEAR, Seen

OBSTACLES_TOLD = 10
"""How many obstacles are kept, those nearest to the base. Every archive has a standing, and paths may be very long."""


class Fidelity(Ranked):
    """How much of the tree at a point the archives describe, from best to worst."""

    EXACT = "exact"  # all incremental: deletions and renames are known
    OVERLAY = "overlay"  # a plain archive is in the path: deleted names come back
    OPAQUE = "opaque"  # an archive in the path cannot be read


class ObstacleKind(Enum):
    """Why a point does not restore."""

    MISSING_PARENT = "missing-parent"
    CONTRADICTED = "contradicted"
    CIRCLE = "circle"  # archives that are recorded as building on each other
    DAMAGED = "damaged"
    OPAQUE = "opaque"
    NAMES_MISSING = "names-missing"  # from all archives, though no archive is known to be missing


@frozen
class Obstacle:
    """What keeps a point from being restored; *archive* is the one with the problem."""

    kind: ObstacleKind
    archive: ArchiveId
    reason: str


class DoubtKind(Enum):
    """What about an archive contradicts the type it was sent as."""

    UNCHANGED_IN_FULL = "unchanged-in-full"
    NOTHING_UNCHANGED = "nothing-unchanged"
    OTHER_ROOTS = "other-roots"
    DATED_AHEAD = "dated-ahead"
    NOT_ARCHIVED = "not-archived"
    OVERLOOKED = "overlooked"
    UNCERTAIN = "uncertain"
    AFTER_END = "after-end"


@frozen
class Doubt:
    """A warning about an archive: it may not be what it was sent as. Whether it restores does not depend on this."""

    kind: DoubtKind
    archive: ArchiveId
    reason: str


@frozen
class Standing:
    """
    The verdict on a point, the same in every answer.

    *length* archives of *size_bytes* together restore it; *fidelity*, *evidence* and *completeness* are the worst of
    them. *unsound* says why tar, extracting the archives one after the other, would not produce the tree, as comparing
    them shows, and *trouble* which member of one is in the way of another of the same archive: clauses about the first
    archive of which that is true, which they name; empty otherwise.

    *obstructions* counts the obstacles along the whole path, *obstacles* are the first of them, the base's first.
    *doubts* are about the archive itself. *seen* is what the names of this one point show.
    """

    length: int
    size_bytes: int
    fidelity: Fidelity
    evidence: Evidence
    unsound: str
    completeness: Completeness
    obstructions: int
    obstacles: tuple[Obstacle, ...]
    doubts: tuple[Doubt, ...]
    trouble: str = ""
    seen: Seen = CLEAR

    @property
    def is_untroubled(self) -> bool:
        return not self.trouble

    @property
    def is_restorable(self) -> bool:
        return not self.obstructions and not self.seen.lost

    def all_obstacles(self, id: ArchiveId) -> tuple[Obstacle, ...]:
        """*obstacles*, and those that the names of the point show; *id* is its archive."""
        return (*self.obstacles, *names_missing(id, self.seen))

    @property
    def is_sound(self) -> bool:
        """Whether tar, extracting the archives, produces the tree of the point without any complaint."""
        return not self.distrust

    @property
    def distrust(self) -> str:
        """Why the point is not sound, as a clause; empty if it is."""
        seen = self.seen
        if not self.is_restorable:
            return "the point does not restore"
        if seen.objection or seen.traces:
            return seen.objection or seen.traces
        if self.fidelity is Fidelity.EXACT and (self.unsound or self.trouble):
            return self.unsound or self.trouble
        return f"tar cannot extract {counted(seen.gaps, 'name')} of it" if seen.gaps else ""

    @property
    def is_whole(self) -> bool:
        """Whether the path is exact and merging it finds every name that was not left out on purpose."""
        return self.completeness is not Completeness.UNKNOWN


@frozen
class PlacedArchive:
    """An archive with its link and its standing, each if already worked out."""

    archive: BackupArchive
    link: Link | None = None
    standing: Standing | None = None


def way_to(id: ArchiveId, place_of: Callable[[ArchiveId], PlacedArchive | None]) -> list[PlacedArchive]:
    """*id* and all that it builds on, the base first; each once in a circle. Empty if *place_of* does not know *id*."""
    way: dict[ArchiveId, PlacedArchive] = {}
    at: ArchiveId | None = id
    while at is not None and at not in way and (place := place_of(at)) is not None:
        way[at] = place
        at = None if place.link is None else place.link.parent
    return list(way.values())[::-1]


def standing_of(archive: BackupArchive, link: Link, parent: PlacedArchive | None) -> Standing:
    """
    The standing of *archive*. *parent* is the archive that *link* names as its parent, with its standing.

    It is None for an archive without a known parent, and for the first archive of a circle.
    """
    before = parent.standing if parent is not None else None
    own = tuple(own_obstacles(archive, link, has_parent=before is not None))
    doubts = tuple(_doubts(archive, link, parent.archive if parent is not None else None))
    fidelity = _fidelity(archive)
    if before is None:
        return Standing(
            1,
            archive.size_bytes,
            fidelity,
            link.evidence,
            _of(archive, link.unsound),
            link.completeness,
            len(own),
            own[:OBSTACLES_TOLD],
            doubts,
            _of(archive, link.trouble),
        )
    return Standing(
        before.length + 1,
        before.size_bytes + archive.size_bytes,
        max(fidelity, before.fidelity, key=lambda one: one.rank),
        max(link.evidence, before.evidence, key=lambda one: one.rank),
        before.unsound or _of(archive, link.unsound),
        max(link.completeness, before.completeness, key=lambda one: one.rank),
        before.obstructions + len(own),
        (*before.obstacles, *own)[:OBSTACLES_TOLD],
        doubts,
        before.trouble or _of(archive, link.trouble),
    )


def _of(archive: BackupArchive, clause: str) -> str:
    return f"{clause} ({archive.id.label})" if clause else ""


def seen_of(place: PlacedArchive, seen: Seen) -> PlacedArchive:
    """*place*, given that its names have shown *seen*."""
    standing = place.standing
    return place if standing is None or seen == standing.seen else evolve(place, standing=evolve(standing, seen=seen))


def names_missing(id: ArchiveId, seen: Seen) -> tuple[Obstacle, ...]:
    """The obstacle that the names of the point of *id* show, if any."""
    return (Obstacle(ObstacleKind.NAMES_MISSING, id, seen.lost),) if seen.lost else ()


def placed(
    rows: Iterable[tuple[BackupArchive, Link]], known: Mapping[ArchiveId, PlacedArchive] | None = None
) -> dict[ArchiveId, PlacedArchive]:
    """
    The standing of each archive in *rows*, in whatever order, given the parents in *known*.

    An archive whose parent is in neither counts as without a parent; if its parent in *known* has no standing, it has
    none either.
    Cost: O(n log n).
    """
    known = known or {}
    given = {archive.id: (archive, link) for archive, link in rows}
    found: dict[ArchiveId, PlacedArchive] = {}
    for id in parents_first({id: link.parent for id, (_, link) in given.items()}, lambda id: order(given[id][0])):
        archive, link = given[id]
        parent = None
        if link.parent is not None:
            parent = found.get(link.parent) if link.parent in given else known.get(link.parent)
        is_unknown = parent is not None and parent.standing is None
        found[id] = PlacedArchive(archive, link, None if is_unknown else standing_of(archive, link, parent))
    return found


def parents_first(
    parents: Mapping[ArchiveId, ArchiveId | None], key: Callable[[ArchiveId], tuple[datetime, datetime, ArchiveId]]
) -> Iterator[ArchiveId]:
    """The keys of *parents*, each after its parent; in a circle the first by *key* comes first."""
    passed: set[ArchiveId] = set()
    for id in parents:
        climbed: dict[ArchiveId, int] = {}
        at: ArchiveId | None = id
        while at is not None and at in parents and at not in passed and at not in climbed:
            climbed[at] = len(climbed)
            at = parents[at]
        way = list(climbed)
        if at is not None and at in climbed:
            below, circle = way[: climbed[at]], way[climbed[at] :]
            cut = circle.index(min(circle, key=key))
            way = below + circle[cut + 1 :] + circle[: cut + 1]
        passed.update(way)
        yield from reversed(way)


def _fidelity(archive: BackupArchive) -> Fidelity:
    if archive.contents is None or archive.contents.kind is Kind.OPAQUE:
        return Fidelity.OPAQUE
    return Fidelity.EXACT if archive.contents.kind is Kind.INCREMENTAL else Fidelity.OVERLAY


def own_obstacles(archive: BackupArchive, link: Link, *, has_parent: bool) -> Iterator[Obstacle]:
    """The obstacles that *archive* itself presents."""
    if link.evidence is Evidence.CONTRADICTED:
        yield Obstacle(ObstacleKind.CONTRADICTED, archive.id, link.reason)
    elif link.evidence is Evidence.ORPHAN:
        yield Obstacle(ObstacleKind.MISSING_PARENT, archive.id, link.reason)
    elif not has_parent and not link.is_base:
        yield Obstacle(ObstacleKind.CIRCLE, archive.id, f"its recorded parent, {link.parent}, builds on it")
    if archive.state is ArchiveState.DAMAGED:
        yield Obstacle(ObstacleKind.DAMAGED, archive.id, "its stored bytes are damaged; send the same archive again")
    if archive.contents is None:
        yield Obstacle(ObstacleKind.OPAQUE, archive.id, "it was never inspected, so whether it restores is unknown")
    elif archive.contents.kind is Kind.OPAQUE:
        yield Obstacle(ObstacleKind.OPAQUE, archive.id, "it cannot be read as a tar; only its bytes can be given back")


def _doubts(archive: BackupArchive, link: Link, parent: BackupArchive | None) -> Iterator[Doubt]:
    if link.evidence is Evidence.UNCERTAIN:
        yield Doubt(DoubtKind.UNCERTAIN, archive.id, link.reason)
    elif link.completeness is Completeness.LEFT_OUT:
        yield Doubt(DoubtKind.NOT_ARCHIVED, archive.id, link.reason)
    elif link.completeness is Completeness.OVERLOOKED:
        yield Doubt(DoubtKind.OVERLOOKED, archive.id, link.reason)
    if archive.id.type is BackupType.FULL and has_unchanged(archive):
        names = f" ({link.unchanged})" if link.unchanged else ""
        reason = (
            f"names in it are said to be elsewhere{names}: they were excluded from the dump, or it is not a full dump, "
            "or tar joined several dumps in it"
        )
        yield Doubt(DoubtKind.UNCHANGED_IN_FULL, archive.id, reason)
    is_proven = link.evidence is Evidence.PROVEN  # then it builds on its parent, whatever it holds
    if archive.id.type is not BackupType.FULL and is_whole(archive) and not is_proven:
        yield Doubt(DoubtKind.NOTHING_UNCHANGED, archive.id, "nothing in it is unchanged: it may be a full dump")
    if parent is not None:
        others = _roots(archive) - _roots(parent)
        if others and _roots(parent):
            reason = f"it begins at {', '.join(sorted(others))}, but {parent.id} does not"
            yield Doubt(DoubtKind.OTHER_ROOTS, archive.id, reason)
    yield from doubts_about_bytes(archive)
    if archive.is_dated_ahead:
        reason = (
            f"by what its sender or its name says it was taken at {rfc3339(archive.taken_at)}, which was in the future "
            "when it was received: a clock was wrong, or the name; it is placed by its receipt, a choice by "
            "time passes over it, and no dump continues from it"
        )
        yield Doubt(DoubtKind.DATED_AHEAD, archive.id, reason)


def doubts_about_bytes(archive: BackupArchive) -> Iterator[Doubt]:
    """The doubts that hold whatever the archive builds on."""
    after_end = archive.contents.after_end if archive.contents is not None else None
    if after_end is None:
        return
    size = counted(after_end.size_bytes, "byte")
    if after_end.is_tar:
        reason = (
            f"another archive follows the end of this one, {size}, which tar does not read, so nothing of it is "
            "restored: send it separately; tar extracts both when told to ignore zeros"
        )
    else:
        reason = f"its end is followed by {size}, neither padding nor a tar, which tar does not read"
    yield Doubt(DoubtKind.AFTER_END, archive.id, reason)


def _roots(archive: BackupArchive) -> frozenset[str]:
    return frozenset(archive.contents.roots if archive.contents is not None else ())
