"""Looking at one profile: everything that is known of it now, and what is not as it should be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from attrs import frozen

from ...archives.archive import ArchiveState
from ...chains.standing import PlacedArchive
from ...drills.choice import DrillLimits
from ...drills.drill import Drill, DrillKind
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore
from ...ports.system import Clock
from ...ports.upkeep.drills import DrillTable
from ...ports.upkeep.jobs import JobTable
from ...ports.upkeep.scrubs import ScrubTable
from ...ports.upkeep.statuses import StatusTable
from ...profiles.expectation import Cadence, Expectation
from ...profiles.rules import Rules
from ...scrubbing.unread import ScrubEvery
from ...watching.drill_concerns import DrillFacts, last_judged
from ...watching.learning import learnt
from ...watching.light import Concern, Light, light_of
from ...watching.profile_concerns import Missed, ProfileFacts, concerns_of
from ...watching.slots import Absence, slots
from ..restoring.load_points import LoadPoints
from ..retention.brake import stopping, why_stopped
from ..retention.protect import marks_in

PRUNE = "prune"

_LOOKED_AT = 20  # drills: those that failed say nothing


@frozen
class ProfileStatus:
    """
    A profile and what is not as it should be about it, the worst first. *newest* is its newest archive.

    *facts* is what that follows from. *next_deadline*: when the next slot is missed if nothing comes, None if nothing
    is to come. *restorable* is the newest archive that restores, and *chain_archives* the number that restore it.
    *is_pruned*: it has a retention policy.
    """

    profile: str
    newest: PlacedArchive
    concerns: tuple[Concern, ...]
    facts: ProfileFacts
    next_deadline: datetime | None = None
    restorable: PlacedArchive | None = None
    archives: int = 0
    chain_archives: int = 0
    is_pruned: bool = False

    @property
    def light(self) -> Light:
        return light_of(self.concerns)


@frozen
class ProfileLook:
    """
    What is known of profiles.

    No use case: those that check one profile, or all, or watch them, share it.
    """

    store: ArchiveStore
    catalog: Catalog
    load_points: LoadPoints
    rules: Rules
    clock: Clock
    jobs: JobTable
    scrubs: ScrubTable
    every: ScrubEvery
    statuses: StatusTable
    drills: DrillTable
    drill_limits: DrillLimits

    def unread(self, profile: str | None = None) -> dict[str, int]:
        """How many archives of each profile, or of *profile*, should have been read again long ago."""
        return self.scrubs.unread_since(self.every.behind_before(self.clock.now()), profile=profile)

    def waits(self) -> dict[str, list[str]]:
        """Why the last run of the job that prunes left something to a person, by profile."""
        record = self.jobs.records().get(PRUNE)
        found: dict[str, list[str]] = {}
        if record is not None and record.last is not None and record.last.report is not None:
            for remark in record.last.report.waits:
                if remark.profile is not None:
                    found.setdefault(remark.profile, []).append(remark.text)
        return found

    def of(
        self, profile: str, unread: dict[str, int], waits: dict[str, list[str]], absences: Sequence[Absence]
    ) -> ProfileStatus:
        """
        The status of *profile*; what is *unread*, what *waits* for a person and the *absences* of the server are known
        of all.
        """
        places = self.load_points(profile).places()
        stopped = stopping(marks_in(profile, self.store))
        rules = self.rules.of(profile)
        is_braked = rules.retention is not None and rules.retention.brake
        newest = max(places, key=_received)
        restorable = [place for place in places if place.standing is not None and place.standing.is_restorable]
        last = max(restorable, key=_received, default=None)
        missed, next_deadline = self._deadlines(profile, places, restorable, absences)
        damaged = [place.archive.id for place in places if place.archive.state is ArchiveState.DAMAGED]
        checked = self.scrubs.checked(damaged) if damaged else {}
        facts = ProfileFacts(
            profile,
            newest,
            damaged=damaged,
            faults={id: one.fault for id, one in checked.items() if one.fault is not None},
            missed=missed,
            brake={id: why_stopped(id, suspicion) for id, suspicion in stopped.items()} if is_braked else {},
            waits=waits.get(profile, ()),
            unread=unread.get(profile, 0),
            held_bytes=sum(place.archive.size_bytes for place in places),
            max_bytes=rules.max_bytes,
            drills=self._drilled(profile, places) if restorable else None,
        )
        depth = 0 if last is None else len(self.catalog.path(last.archive.id))
        concerns, is_pruned = concerns_of(facts), rules.retention is not None
        return ProfileStatus(profile, newest, concerns, facts, next_deadline, last, len(places), depth, is_pruned)

    def last_judged(self, profile: str, kind: DrillKind) -> Drill | None:
        """The last drill of that *kind* that was judged."""
        return last_judged(self.drills.recent(profile, kind=kind, limit=_LOOKED_AT))

    def _drilled(self, profile: str, places: Sequence[PlacedArchive]) -> DrillFacts:
        drills = self.drills.recent(profile, kind=DrillKind.DRILL, limit=_LOOKED_AT)
        return DrillFacts(
            drills,
            self.drills.recent(profile, kind=DrillKind.REHEARSAL, limit=_LOOKED_AT),
            bool(drills) or bool(self.drills.recent(kind=DrillKind.DRILL, limit=1)),
            min(place.archive.received_at for place in places),
            self.drill_limits.every_of(profile, self.rules).behind_before(self.clock.now()),
        )

    def _deadlines(
        self,
        profile: str,
        places: Sequence[PlacedArchive],
        restorable: Sequence[PlacedArchive],
        absences: Sequence[Absence],
    ) -> tuple[list[Missed], datetime | None]:
        """The slots that are missed now, and when the next one will be."""
        now, missed, following = self.clock.now(), list[Missed](), list[datetime]()
        expectation = self.rules.of(profile).expectation
        if expectation is None:
            expectation = learnt([*(place.archive.received_at for place in restorable), *self._removed(profile)])
        if expectation is None:
            return [], None
        since = min(place.archive.received_at for place in places)
        for cadence in expectation.cadences:
            for one in _slots(cadence, expectation, restorable, since, absences):
                if one.slot.deadline > now:
                    following.append(one.slot.deadline)
                    break
                missed.append(one)
        return missed, min(following, default=None)

    def _removed(self, profile: str) -> list[datetime]:
        """When archives came that were removed since: what is learnt outlives pruning."""
        entries = self.catalog.entries(profile)
        return [archive.received_at for archive in entries if archive.state is ArchiveState.TRASHED]


def _slots(
    cadence: Cadence,
    expectation: Expectation,
    restorable: Sequence[PlacedArchive],
    since: datetime,
    absences: Sequence[Absence],
) -> Iterator[Missed]:
    """What nothing came for yet, or will be missed."""
    receipts = [place.archive.received_at for place in restorable if cadence.type in (None, place.archive.id.type)]
    last = max(receipts, default=None)
    for slot in slots(cadence, expectation, last, since, absences):
        yield Missed(slot, last, expectation.is_learnt, cadence.type)


def _received(place: PlacedArchive) -> tuple[datetime, object]:
    return place.archive.received_at, place.archive.id
