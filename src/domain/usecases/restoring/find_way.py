"""
The archives that a point is merged from: its path; and where that is broken, what is left of it.

A path is broken where an archive builds on something that is not stored, or where nobody knows what an archive has.
What comes behind the last break is certain: an archive says of each name whether it has it or calls it unchanged. What
comes before may have changed in between. It is taken all the same, as far back as archives go, for a name that is given
as it was is worth more than none; but each is told (see `lacks`).
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import datetime

from attrs import evolve, field, frozen

from ...archives.archive import ArchiveState, BackupArchive, Kind
from ...chains.link import Evidence
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

    *is_exact* says that all of them have listings, *is_left_out* that what is in none of them was left out. *refusal*
    is why the point does not restore whole, as far as that is known without its tree. *certain_from* and *is_broken*
    are those of `Lacks`; *unknown* tells, in sentences, of names that nobody can list. *counts* keeps how many lack.
    """

    plan: Plan
    archives: tuple[BackupArchive, ...]
    is_exact: bool
    is_left_out: bool
    refusal: PointNotRestorable | None = None
    certain_from: int = 0
    is_broken: bool = False
    unknown: tuple[str, ...] = ()
    counts: dict[bytes, Counts] = field(factory=dict, eq=False, repr=False)

    @property
    def damaged(self) -> Set[int]:
        """The numbers of those whose stored bytes are damaged."""
        return {at for at, archive in enumerate(self.archives) if archive.state is ArchiveState.DAMAGED}


def way_of(plan: Plan, archives: tuple[BackupArchive, ...], refusal: PointNotRestorable | None = None) -> Way:
    """The way that is the whole path of a point."""
    is_left_out = plan.point.evidence is Evidence.PROVEN or plan.point.standing.is_whole
    return Way(plan, archives, plan.point.fidelity is Fidelity.EXACT, is_left_out, refusal)


@frozen
class FindWay:
    """Find what a point among those of a profile can be merged from."""

    points: ProfilePoints

    def whole(self, at: datetime | ArchiveId | None) -> Way:
        """
        The path; with a refusal where archives of it are damaged, whose names are known all the same.

        Raises:
            ProfileNotFound, PointNotFound, PointNotRestorable: as `ProfilePoints.plan`.
        """
        refusal: PointNotRestorable | None = None
        try:
            plan = self.points.plan(at)
        except PointNotRestorable as error:
            refusal = error
            plan = self.points.plan(at, despite_damage=True)
        return way_of(plan, plan.point.archives, refusal)

    def broken(self, at: datetime | ArchiveId | None, unread: Set[ArchiveId] = frozenset()) -> Way:
        """
        What there is of a path, whatever it lacks, without the archives *unread*, of which nobody knows the names.

        Raises:
            ProfileNotFound, PointNotFound: as `ProfilePoints.plan`.
            PointNotRestorable: the names of the point are in an archive that nobody can read.
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
            self.points.plan(at)  # which says why
        point = last_of(places)
        found = self._extended(places)
        readable, breaks, unknown = _readable(found, unread)
        if not readable or readable[-1].id != point.archive.id:
            reason = (
                f"which names this point has is told by {point.archive.id.label} alone, and it cannot be read, so "
                "nobody can say what of the other archives belongs to it"
            )
            earlier = refusal or PointNotRestorable(point.archive.id, ())
            raise evolve(earlier, reasons=(*earlier.reasons, reason))
        certain_from = max(breaks)
        if _all_listed(readable[certain_from:]) and not _all_listed(readable):
            # Only listings tell what is to be looked for before them, and only where all have some.
            readable, certain_from = readable[certain_from:], 0
        plan = Plan(point, tuple(archive.id for archive in readable), is_sound=False)
        return Way(
            plan,
            tuple(readable),
            _all_listed(readable),
            is_left_out=False,
            refusal=refusal or PointNotRestorable(point.archive.id, tuple(unknown)),
            certain_from=certain_from,
            is_broken=True,
            unknown=tuple(unknown),
        )

    def _extended(self, places: Sequence[PlacedArchive]) -> list[PlacedArchive]:
        """*places*, and before each that builds on nothing known the path of what comes nearest to that."""
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
    """The archives of *places* that can be read; the numbers of those that come behind a break; what is not known."""
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
