"""
Planning what may be removed of a profile: collecting the facts for `retention.prune_plan`.

Links that are not proven depend on the other archives of a profile. So they are worked out once more without the young
archives, and at last without those that would go: if a kept archive would then build on something else, what goes is
reduced until it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import count
from typing import TypeAlias

from attrs import evolve, frozen

from ...chains.link import Evidence
from ...chains.neighbours import order
from ...chains.standing import PlacedArchive
from ...identity.archive_id import ArchiveId
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore
from ...ports.system import Clock, InUse
from ...profiles.retention_policy import RetentionPolicy
from ...profiles.rules import Rules
from ...retention.decisions import Pause, PauseKind, PrunePlan, Reason, ReasonKind, of_archives
from ...retention.prune_plan import Circumstances, plan_prune, without_young
from ...retention.suspicion import Suspicion
from ..linking.profile_links import ProfileLinks
from ..restoring.load_points import LoadPoints
from .brake import few, stopping, why_stopped
from .protect import marks_in
from .watch_clock import WatchClock

BY_NAME = 10
"""So often a plan is made again for what links name; after that everything stays that they may depend on."""


Otherwise: TypeAlias = Callable[[RetentionPolicy | None], RetentionPolicy | None]
"""Gives another policy for that of a profile, None for none."""


@frozen
class PlanPrune:
    """Decide for every archive of a profile whether it stays, and why; nothing is changed."""

    store: ArchiveStore
    catalog: Catalog
    load_points: LoadPoints
    links: ProfileLinks
    rules: Rules
    clock: Clock
    in_use: InUse
    watch_clock: WatchClock

    def __call__(self, profile: str, otherwise: Otherwise = lambda own: own) -> PrunePlan:
        """
        The plan for *profile*. *otherwise* gives the policy to try instead of its own one; such a plan is never carried
        out.

        Raises:
            ProfileNotFound: the profile has no stored archive.

        Cost: one query for all archives. If links are inferred, all of them are worked out twice more, and up to
        `BY_NAME` times if some hang on what would go, without reading any archive that was compared before.
        """
        now, rules = self.clock.now(), self.rules.of(profile)
        places = self.load_points(profile).places()
        policy = otherwise(rules.retention)
        if policy is None:
            return plan_prune(profile, places, places, None, rules.time_zone, now)
        older: Sequence[PlacedArchive] = without_young(places, policy, now)
        if len(older) < len(places):
            left = {place.archive.id for place in older}
            older = self._without(profile, places, {place.archive.id for place in places} - left)
        marks = marks_in(profile, self.store)
        stop = stopping(marks)
        circumstances = Circumstances(
            marks=marks,
            in_use=self.in_use.all(),
            suspicious=stop,
            broken_since=self.catalog.broken_since(profile),
            pauses=self._pauses(policy, stop),
        )
        for round in count():
            plan = plan_prune(profile, places, older, policy, rules.time_zone, now, circumstances)
            needed = self._needed_by_links(profile, places, of_archives(plan.removed), by_name=round < BY_NAME)
            if not needed:
                break
            circumstances = evolve(circumstances, also={**circumstances.also, **needed})
        return plan

    def _pauses(self, policy: RetentionPolicy, stop: Mapping[ArchiveId, Suspicion | None]) -> tuple[Pause, ...]:
        doubt = self.watch_clock().doubt
        pauses = [Pause(PauseKind.CLOCK, doubt)] if doubt else []
        if policy.brake:
            pauses += [Pause(PauseKind.BRAKE, why) for why in few(why_stopped(id, one) for id, one in stop.items())]
        return tuple(pauses)

    def _without(
        self, profile: str, places: Sequence[PlacedArchive], gone: Collection[ArchiveId], *, trashed: bool = False
    ) -> Sequence[PlacedArchive]:
        """*places* without *gone*, linked as if those did not exist, or were *trashed*."""
        left = [place for place in places if place.archive.id not in gone]
        if len(left) == len(places) or all(_is_independent(place, gone) for place in left):
            return left
        if trashed:
            return self.links.in_memory(profile, trashed=gone, before=places)
        return self.links.in_memory(profile, without=gone, before=places)

    def _needed_by_links(
        self, profile: str, places: Sequence[PlacedArchive], gone: Collection[ArchiveId], *, by_name: bool
    ) -> dict[ArchiveId, Reason]:
        """
        Those of *gone* that have to stay, because another archive would be linked otherwise without them.

        Which of them that depends on is not known. *by_name*: probably on those that its link names. Else all stay that
        were taken before it.
        """
        if not gone:
            return {}
        gone = frozenset(gone)
        before = {place.archive.id: place for place in places}
        needed: dict[ArchiveId, Reason] = {}
        for place in self._without(profile, places, gone, trashed=True):
            was = before.get(place.archive.id)
            if was is None or _is_the_same(was, place):
                continue
            text = f"without it, what {place.archive.id.label} builds on would be judged otherwise"
            named = _named_by(was, gone) if by_name else ()
            earlier = [id for id in gone if order(before[id].archive) < order(place.archive)]
            needed |= dict.fromkeys(named or earlier or gone, Reason(ReasonKind.LINKS, text))
        return needed


def _named_by(place: PlacedArchive, gone: Collection[ArchiveId]) -> Collection[ArchiveId]:
    """Those of *gone* that were tried as the parent of *place*: the first, or if that is none of them, all."""
    tried = () if place.link is None else place.link.tried
    return [id for id in tried[:1] if id in gone] or [id for id in tried if id in gone]


def _is_independent(place: PlacedArchive, gone: Collection[ArchiveId]) -> bool:
    """Whether the link of *place* stays as it is without *gone*."""
    link = place.link
    return link is not None and link.evidence is Evidence.PROVEN and link.parent not in gone


def _is_the_same(was: PlacedArchive, now: PlacedArchive) -> bool:
    """Whether a point restores as before: from the same archives, or not at all."""
    if was.standing is None or now.standing is None or was.link is None or now.link is None:
        return was == now
    return was.link.parent == now.link.parent and was.standing.is_restorable == now.standing.is_restorable
