"""
The archives that the tree of a point is merged from: its path, or the rest of a broken path.

A path is broken where an archive builds on one that is not stored, or where the names of an archive are unknown. The
archives behind the last break are certain: each says of every name whether it has it or calls it unchanged. Earlier
archives may have changed during the break. They are used all the same, as far back as archives go, because an old
version of a name is better than none; but each such name is reported (see `lacks`).
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import datetime

from attrs import evolve, field, frozen

from ...archives.archive import ArchiveState, BackupArchive, Kind
from ...chains.link import Evidence
from ...chains.passed_over import PassedOver
from ...chains.points import Plan
from ...chains.standing import Fidelity, PlacedArchive
from ...errors.restoring import PointNotRestorable
from ...identity.archive_id import ArchiveId
from ...text.lack_counts import Counts
from .load_points import ProfilePoints, last_of


@frozen
class Way:
    """
    What a tree is merged from: *archives*, in order, for the point of *plan*.

    *is_exact* means that all of them have listings, *is_left_out* that a name in none of them was left out of the
    backup. *refusal* says why the point does not restore whole, as far as that is known without its tree.
    *certain_from* and *is_broken* are those of `Lacks`; *unknown* describes, in sentences, names that cannot be listed.
    *counts* caches how many names lack. *passed_over* are the points that the choice of this one passed over.
    """

    plan: Plan
    archives: tuple[BackupArchive, ...]
    is_exact: bool
    is_left_out: bool
    refusal: PointNotRestorable | None = None
    certain_from: int = 0
    is_broken: bool = False
    unknown: tuple[str, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    counts: dict[bytes, Counts] = field(factory=dict, eq=False, repr=False)

    @property
    def damaged(self) -> Set[int]:
        """The indexes of archives whose stored bytes are damaged."""
        return {at for at, archive in enumerate(self.archives) if archive.state is ArchiveState.DAMAGED}


def way_of(plan: Plan, archives: tuple[BackupArchive, ...], refusal: PointNotRestorable | None = None) -> Way:
    """The way for a complete path of a point."""
    is_left_out = plan.point.evidence is Evidence.PROVEN or plan.point.standing.is_whole
    return Way(plan, archives, plan.point.fidelity is Fidelity.EXACT, is_left_out, refusal)


@frozen
class FindWay:
    """Find what a point among those of a profile can be merged from."""

    points: ProfilePoints

    def whole(self, at: datetime | ArchiveId | None) -> Way:
        """
        The complete path; with a refusal if some of its archives are damaged but have known names.

        Raises:
            ProfileNotFound, PointNotFound, PointNotRestorable: as `ProfilePoints.plan`.
        """
        refusal: PointNotRestorable | None = None
        try:
            plan = self.points.plan(at)
        except PointNotRestorable as error:
            refusal = error
            plan = self.points.plan(at, despite_damage=True)
        way = way_of(plan, plan.point.archives, refusal)
        return evolve(way, passed_over=self.points.passed_over(at))

    def broken(self, at: datetime | ArchiveId | None, unread: Set[ArchiveId] = frozenset()) -> Way:
        """
        The rest of a path, whatever it lacks, without the archives in *unread*, whose names are unknown.

        Raises:
            ProfileNotFound, PointNotFound: as `ProfilePoints.plan`.
            PointNotRestorable: the archive with the names of the point cannot be read.
        """
        if not unread:
            try:
                return self.whole(at)
            except PointNotRestorable as error:
                refusal: PointNotRestorable | None = error
        else:
            refusal = _refusal(self.points, at)
        places = self.points.way(at)
        if not places:
            self.points.plan(at)  # raises the reason
        point = last_of(places)
        found = self._extended(places)
        readable, breaks, unknown = _readable(found, unread)
        if not readable or readable[-1].id != point.archive.id:
            reason = (
                f"only {point.archive.id.label} tells which names this point has, and it cannot be read, so it is "
                "unknown which members of the other archives belong to it"
            )
            earlier = refusal or PointNotRestorable(point.archive.id, ())
            raise evolve(earlier, reasons=(*earlier.reasons, reason))
        certain_from = max(breaks)
        if _all_listed(readable[certain_from:]) and not _all_listed(readable):
            # Only listings tell which names to look for in earlier archives, and only if all archives have listings.
            readable, certain_from = readable[certain_from:], 0
        distrust = "not all archives that it takes are there and whole"
        plan = Plan(point, tuple(archive.id for archive in readable), distrust)
        return Way(
            plan,
            tuple(readable),
            _all_listed(readable),
            is_left_out=False,
            refusal=refusal or PointNotRestorable(point.archive.id, tuple(unknown)),
            certain_from=certain_from,
            is_broken=True,
            unknown=tuple(unknown),
            passed_over=self.points.passed_over(at),
        )

    def _extended(self, places: Sequence[PlacedArchive]) -> list[PlacedArchive]:
        """*places*, with the path of the nearest possible parent before each archive whose parent is unknown."""
        found = list(places)
        while not _is_base(found[0]):
            before = self.points.way_before(found[0].archive)
            known = {place.archive.id for place in found}
            if not before or any(place.archive.id in known for place in before):
                break
            found[:0] = before
        return found


def _refusal(points: ProfilePoints, at: datetime | ArchiveId | None) -> PointNotRestorable | None:
    try:
        points.plan(at)
    except PointNotRestorable as error:
        return error
    return None


def _readable(
    places: Sequence[PlacedArchive], unread: Set[ArchiveId]
) -> tuple[list[BackupArchive], list[int], list[str]]:
    """The readable archives of *places*; the indexes of those that follow a break; sentences about unknown names."""
    readable: list[BackupArchive] = []
    breaks, unknown = [0], []
    before: ArchiveId | None = None
    for place in places:
        archive = place.archive
        if place.link is not None and not place.link.is_base and (before is None or place.link.parent != before):
            breaks.append(len(readable))
            unknown.append(
                f"the archive that {archive.id.label} builds on is missing: names that only it has are not known"
            )
        before = archive.id
        if archive.id in unread or archive.contents is None or archive.contents.kind is Kind.OPAQUE:
            breaks.append(len(readable))
            unknown.append(f"{archive.id.label} cannot be read: names that only it has are not known")
            continue
        readable.append(archive)
    return readable, [at for at in breaks if at < len(readable)] or [0], unknown


def _is_base(place: PlacedArchive) -> bool:
    return place.link is not None and place.link.is_base


def _all_listed(archives: Sequence[BackupArchive]) -> bool:
    return all(archive.contents is not None and archive.contents.kind is Kind.INCREMENTAL for archive in archives)
