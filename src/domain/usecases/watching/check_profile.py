"""
Whether everything about a profile, or about the server, is as it should be.

Everything is looked up anew for each question, so that no answer is stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from attrs import frozen

from ...archives.archive import ArchiveState
from ...chains.standing import PlacedArchive
from ...errors.archives import ProfileNotFound
from ...errors.capacity import InsufficientStorage
from ...jobs.run import RunOutcome
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore
from ...ports.system import Clock
from ...ports.upkeep.jobs import JobTable
from ...ports.upkeep.scrubs import ScrubTable
from ...profiles.capacity import Reserve, check_room
from ...profiles.rules import Rules
from ...scrubbing.unread import ScrubEvery
from ...text.times import rfc3339
from ...watching.learning import learnt
from ...watching.light import Concern, ConcernKind, Light, light_of, worst_first
from ...watching.profile_concerns import Missed, ProfileFacts, concerns_of
from ...watching.slots import missed
from ..restoring.load_points import LoadPoints
from ..retention.brake import marks_in, stopping, why_stopped
from ..retention.watch_clock import WatchClock

PRUNE = "prune"


@frozen
class ProfileStatus:
    """A profile and what is not as it should be about it, the worst first. *newest* is its newest archive."""

    profile: str
    newest: PlacedArchive
    concerns: tuple[Concern, ...]

    @property
    def light(self) -> Light:
        return light_of(self.concerns)


@frozen
class ProfileLook:
    """
    What is known of profiles.

    No use case: those that check one profile, or all, share it.
    """

    store: ArchiveStore
    catalog: Catalog
    load_points: LoadPoints
    rules: Rules
    clock: Clock
    jobs: JobTable
    scrubs: ScrubTable
    every: ScrubEvery

    def unread(self) -> dict[str, int]:
        """How many archives of each profile should have been read again long ago."""
        return self.scrubs.unread_since(self.every.behind_before(self.clock.now()))

    def of(self, profile: str, unread: dict[str, int], waits: dict[str, list[str]]) -> ProfileStatus:
        """The status of *profile*; what is *unread*, and what *waits* for a person, is known of all."""
        places = self.load_points(profile).places()
        stopped = stopping(marks_in(profile, self.store))
        policy = self.rules.of(profile).retention
        is_braked = policy is not None and policy.brake
        newest = max(places, key=lambda place: (place.archive.received_at, place.archive.id))
        facts = ProfileFacts(
            profile,
            newest,
            damaged=[place.archive.id for place in places if place.archive.state is ArchiveState.DAMAGED],
            missed=self._missed(places),
            brake=[why_stopped(id, suspicion) for id, suspicion in stopped.items()] if is_braked else (),
            waits=waits.get(profile, ()),
            unread=unread.get(profile, 0),
            held_bytes=sum(place.archive.size_bytes for place in places),
            max_bytes=self.rules.of(profile).max_bytes,
        )
        return ProfileStatus(profile, newest, concerns_of(facts))

    def _missed(self, places: Sequence[PlacedArchive]) -> Missed | None:
        receipts = [
            place.archive.received_at for place in places if place.standing is not None and place.standing.is_restorable
        ]
        expectation = learnt(receipts)
        if expectation is None:
            return None
        last = max(receipts)
        for cadence in expectation.cadences:
            for slot in missed(cadence, expectation, last, last, self.clock.now()):
                return Missed(slot, last)
        return None

    def waits(self) -> dict[str, list[str]]:
        """Why the last run of the job that prunes left something to a person, by profile."""
        record = self.jobs.records().get(PRUNE)
        found: dict[str, list[str]] = {}
        if record is not None and record.last is not None and record.last.report is not None:
            for remark in record.last.report.waits:
                if remark.profile is not None:
                    found.setdefault(remark.profile, []).append(remark.text)
        return found


@frozen
class CheckProfile:
    """Say whether everything about a profile is as it should be."""

    look: ProfileLook

    def __call__(self, profile: str) -> ProfileStatus:
        """
        Cost: grows with the number of archives of *profile*.

        Raises:
            ProfileNotFound: the profile has no stored archive.
        """
        return self.look.of(profile, self.look.unread(), self.look.waits())


@frozen
class CheckProfiles:
    """Say of all profiles whether everything is as it should be."""

    look: ProfileLook

    def __call__(self, sees: Callable[[str], bool]) -> Iterator[ProfileStatus]:
        """The status of each profile that the caller *sees*, in the order of their names."""
        unread, waits = self.look.unread(), self.look.waits()
        for profile in sorted({row.profile for row in self.look.catalog.totals()}):
            if sees(profile):
                try:
                    yield self.look.of(profile, unread, waits)
                except ProfileNotFound:  # its last archive went meanwhile
                    continue


@frozen
class CheckServer:
    """Say whether everything about the server itself is as it should be."""

    jobs: JobTable
    watch_clock: WatchClock
    store: ArchiveStore
    reserve: Reserve

    def __call__(self) -> tuple[Concern, ...]:
        """What is not as it should be, the worst first."""
        return worst_first(self._concerns())

    def _concerns(self) -> Iterator[Concern]:
        doubt = self.watch_clock().doubt
        if doubt:
            yield Concern(ConcernKind.CLOCK, Light.RED, f"nothing is removed: {doubt}")
        for name, record in sorted(self.jobs.records().items()):
            run = record.last
            if run is not None and run.outcome is RunOutcome.FAILED:
                text = f"the job {name} failed at {rfc3339(run.ended_at or run.started_at)}: {run.error}"
                yield Concern(ConcernKind.JOB_FAILED, Light.RED, text)
        try:
            check_room(self.store.usage(), self.reserve, 0)
        except InsufficientStorage as error:
            yield Concern(ConcernKind.DISK, Light.RED, f"no archive is accepted: {error}")
