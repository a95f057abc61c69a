"""
The archives that a plan decides on, each as both ways of linking show it, and what has to stay with it.

Links are worked out twice, with and without the young (see `prune_plan`): what restores by either counts, and what is
needed by either is needed.

The rule for a link that is uncertain: its parent is the best that is known. Another one can be the true parent if it
came later than that one, so that it is nearer to the archive, or if it is the one that was tried first, which is what
the client declared or the profile's rule names. An older one that lacks names which a later archive has is no parent.
Where no parent is known at all, every archive that was tried may be it. An INC whose parent is known by nothing but the
rule of its profile, since the two cannot be compared, may build on the DIFF before it as well: where one snapshot file
is updated in place, it does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from itertools import islice
from operator import lt

from attrs import define, field

from ..archives.archive import BackupArchive
from ..chains.link import Evidence, Link
from ..chains.neighbours import order
from ..chains.standing import ObstacleKind, PlacedArchive, Standing
from ..comparing.fit import Completeness
from ..identity.archive_id import ArchiveId, BackupType
from ..text.counted import counted
from ..text.times import in_zone
from .decisions import Reason, ReasonKind

WHAT_TO_DO = (
    "what builds on what is uncertain there: state inc_base in profiles.toml, or the parent of each archive when it is "
    "sent"
)


_UNCERTAIN = Evidence.UNCERTAIN.rank


@define(eq=False)
class Candidate:
    """
    One archive of a plan.

    *number* is its place in the order of receipt, *local* the time of that in the profile's zone. *is_known* says that
    it was found out whether it restores, *restores* that it does, *is_base* that it builds on nothing. *builds_on* and
    *may_build_on* are others of the plan, none of them twice. *reasons* are why it stays, as far as the plan is made.
    """

    number: int
    archive: BackupArchive
    local: datetime
    is_known: bool
    restores: bool
    is_base: bool
    is_suspicious: bool
    builds_on: Sequence[Candidate] = ()
    may_build_on: Sequence[Candidate] = ()
    reasons: tuple[Reason, ...] = ()


def candidates(
    points: Iterable[PlacedArchive], older: Iterable[PlacedArchive], zone: tzinfo, suspicious: Collection[ArchiveId]
) -> dict[ArchiveId, Candidate]:
    """
    The archives of *points* in the order of their receipt; *older* are the same without the young.

    *zone* is that of the profile.

    Cost: O(n log n).
    """
    places = _by_receipt(points)
    linked_otherwise = _linked_otherwise(places, older)
    found: dict[ArchiveId, Candidate] = {}
    for number, place in enumerate(places):
        found[place.archive.id] = _candidate(number, place, linked_otherwise, zone, suspicious)
    diffs = sorted(_of_type(BackupType.DIFF, found.values()), key=lambda one: order(one.archive))
    for place, one in zip(places, found.values(), strict=True):
        if place.link is not None:
            one.builds_on, one.may_build_on = _parents(place.link, found, diffs)
        other = linked_otherwise.get(one.archive.id) if linked_otherwise else None
        if other is not None and other.link is not None:
            builds_on, may_build_on = _parents(other.link, found, diffs)
            one.builds_on = _union(one.builds_on, builds_on)
            one.may_build_on = _union(one.may_build_on, may_build_on, one.builds_on)
    return found


def _by_receipt(points: Iterable[PlacedArchive]) -> Sequence[PlacedArchive]:
    places = list(points)
    received = [place.archive.received_at for place in places]
    if all(map(lt, received, islice(received, 1, None))):  # as nearly always: they come in the order of their dumps
        return places
    return sorted(places, key=lambda place: (place.archive.received_at, place.archive.id))


def _linked_otherwise(
    places: Sequence[PlacedArchive], older: Iterable[PlacedArchive]
) -> Mapping[ArchiveId, PlacedArchive]:
    """Those of *older* that are not among *places* as they are."""
    same = set(map(id, places))
    return {place.archive.id: place for place in older if id(place) not in same}


def _candidate(
    number: int,
    place: PlacedArchive,
    linked_otherwise: Mapping[ArchiveId, PlacedArchive],
    zone: tzinfo,
    suspicious: Collection[ArchiveId],
) -> Candidate:
    archive, standing, link = place.archive, place.standing, place.link
    is_known, restores = standing is not None, standing is not None and _restores(standing)
    is_base = link is None or link.is_base
    other = linked_otherwise.get(archive.id) if linked_otherwise else None
    if other is not None:
        is_known = is_known and other.standing is not None
        restores = restores or (other.standing is not None and _restores(other.standing))
        is_base = is_base and (other.link is None or other.link.is_base)
    is_suspicious = bool(suspicious) and archive.id in suspicious
    local = in_zone(archive.received_at, zone)
    return Candidate(number, archive, local, is_known, restores, is_base, is_suspicious)


def is_broken(place: PlacedArchive) -> bool:
    """Whether *place* does not restore, as far as that is known. That it cannot be read as a tar is no defect."""
    return place.standing is not None and not _restores(place.standing)


def _restores(standing: Standing) -> bool:
    if standing.seen.lost:
        return False
    return not standing.obstructions or all(one.kind is ObstacleKind.OPAQUE for one in standing.obstacles)


def _of_type(type: BackupType, some: Iterable[Candidate]) -> Iterator[Candidate]:
    return (one for one in some if one.archive.id.type is type)


def _parents(
    link: Link, known: Mapping[ArchiveId, Candidate], diffs: Sequence[Candidate]
) -> tuple[Sequence[Candidate], Sequence[Candidate]]:
    """Those of *known* that the child of *link* builds on, and those that it may build on. *diffs* are in order."""
    parent = None if link.parent is None else known.get(link.parent)
    certain = () if parent is None else (parent,)
    if link.evidence.rank < _UNCERTAIN:
        if diffs and parent is not None and _is_by_rule_alone(link):
            return certain, _nearer(known[link.child], parent, diffs)
        return certain, ()
    possible = []
    for tried in link.tried:
        one = known.get(tried)
        if one is None or one is parent:
            continue
        if tried == link.tried[0] or parent is None or order(one.archive) > order(parent.archive):
            possible.append(one)
    return certain, possible


def _is_by_rule_alone(link: Link) -> bool:
    """Whether an INC has a parent that nothing but the rule of its profile speaks for."""
    is_compared = link.completeness is not Completeness.UNKNOWN
    return link.child.type is BackupType.INC and link.evidence is Evidence.INFERRED and not is_compared


def _nearer(child: Candidate, parent: Candidate, diffs: Sequence[Candidate]) -> Sequence[Candidate]:
    """The last of *diffs* before *child*, if it was taken after *parent*."""
    before = diffs[: bisect_left(diffs, order(child.archive), key=lambda one: order(one.archive))]
    return before[-1:] if before and order(before[-1].archive) > order(parent.archive) else ()


def _union(some: Sequence[Candidate], others: Sequence[Candidate], but: Sequence[Candidate] = ()) -> list[Candidate]:
    return [one for one in dict.fromkeys((*some, *others)) if one not in but]


def dependents_first(gone: Sequence[Candidate]) -> list[Candidate]:
    """*gone*, in the order of their receipt, each after all that build on it; of independent ones the last first."""
    if all(needed.number < one.number for one in gone for needed in (*one.builds_on, *one.may_build_on)):
        return list(gone[::-1])  # nothing came before what it builds on
    left = dict.fromkeys(gone, 0)
    dependents: dict[Candidate, list[Candidate]] = {}
    for one in gone:
        for needed in (*one.builds_on, *one.may_build_on):
            if needed in left:
                dependents.setdefault(needed, []).append(one)
                left[one] += 1
    in_order = [one for one in gone if not left[one]]
    for one in in_order:  # grows
        for dependent in dependents.get(one, ()):
            left[dependent] -= 1
            if not left[dependent]:
                in_order.append(dependent)
    in_order += [one for one in gone if left[one]]  # those that build on each other in a circle
    return in_order[::-1]


@define
class NeededBy:
    """
    For what an archive is needed, summed up: the first that needs it, and how many more do.

    There may be hundreds, and one is enough to understand why it stays.
    """

    _first: dict[bool, str] = field(factory=dict)
    _number: dict[bool, int] = field(factory=dict)

    def add(self, by: ArchiveId, for_what: str, *, is_certain: bool) -> None:
        """Note that *by* needs it, a kept archive that is there *for_what*."""
        self._first.setdefault(is_certain, f"{by.label}{for_what}")
        self._number[is_certain] = self._number.get(is_certain, 0) + 1

    def reasons(self) -> Iterator[Reason]:
        """One reason for those that need it, and one for those that may."""
        for is_certain, first in self._first.items():
            more = self._number[is_certain] - 1
            others = f", and by {counted(more, 'more archive')}" if more else ""
            if is_certain:
                yield Reason(ReasonKind.NEEDED, f"needed by {first}{others}")
            else:
                yield Reason(ReasonKind.NEEDED, f"may be needed by {first}{others}; {WHAT_TO_DO}")


_NO_RULE = ""


def alone(known: Iterable[Candidate]) -> dict[Candidate, str]:
    """
    The archives that stay for one rule and for nothing else, each with the setting of that rule: they would go if it
    were taken away.

    *known* are the archives of a plan in the order of their receipt, with all reasons. An archive that is needed by
    others stays for what those stay for.

    Cost: O(n).
    """
    kept = [one for one in known if one.reasons]
    stays_for: dict[Candidate, set[str]] = {one: set(_own(one)) for one in kept}
    for one in dependents_first(kept):
        for needed in (*one.builds_on, *one.may_build_on):
            if needed in stays_for:
                stays_for[needed] |= stays_for[one]
    return {one: rule for one, some in stays_for.items() if len(some) == 1 and (rule := next(iter(some))) != _NO_RULE}


def _own(one: Candidate) -> Iterable[str]:
    """The rules that keep *one* itself; what else keeps it is `_NO_RULE`."""
    for reason in one.reasons:
        if reason.kind is ReasonKind.RULE:
            yield reason.rule
        elif reason.kind is not ReasonKind.NEEDED:
            yield _NO_RULE
