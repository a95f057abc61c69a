"""
Whether everything about a profile, or about the server, is as it should be: looked up anew for each question.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from ...errors.capacity import InsufficientStorage
from ...jobs.job import OFF
from ...jobs.run import RunOutcome
from ...notices.routes import PlanInUse
from ...ports.store import ArchiveStore
from ...ports.system import Clock
from ...ports.upkeep.jobs import JobTable
from ...ports.upkeep.notices import NoticeTable
from ...profiles.capacity import Reserve, check_room
from ...text.counted import counted
from ...text.times import rfc3339
from ...watching.copy_concerns import copy_concerns
from ...watching.light import Concern, ConcernKind, Light, worst_first
from ..replicating.sources import REPLICATE
from ..retention.watch_clock import WatchClock
from .profile_look import ProfileLook, ProfileStatus
from .read_storage import KnownGrowth


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
        look = self.look
        return look.of(profile, look.unread(profile), look.waits(), look.statuses.absences())


@frozen
class CheckServer:
    """Say whether everything about the server itself is as it should be."""

    jobs: JobTable
    clock: Clock
    watch_clock: WatchClock
    store: ArchiveStore
    reserve: Reserve
    notices: NoticeTable
    in_use: PlanInUse
    growth: KnownGrowth

    def __call__(self) -> tuple[Concern, ...]:
        """What is not as it should be, the worst first."""
        return worst_first(self._concerns())

    def _concerns(self) -> Iterator[Concern]:
        doubt = self.watch_clock().doubt
        if doubt:
            yield Concern(ConcernKind.CLOCK, Light.RED, f"nothing is removed: {doubt}")
        records = self.jobs.records()
        for name, record in sorted(records.items()):
            run = record.last
            if run is not None and run.outcome is RunOutcome.RUNNING:  # what it came to before counts until it ends
                run = next(iter(self.jobs.runs(name, before=run.number, limit=1)), None)
            if run is not None and run.outcome is RunOutcome.FAILED:
                text = f"the job {name} failed at {rfc3339(run.ended_at or run.started_at)}: {run.error}"
                yield Concern(ConcernKind.JOB_FAILED, Light.RED, text, name)
        copying = records.get(REPLICATE)
        if copying is not None and copying.last is not None:
            is_scheduled = copying.stated != OFF.stated
            yield from copy_concerns(self.jobs.runs(REPLICATE, limit=100), self.clock.now(), is_scheduled=is_scheduled)
        try:
            check_room(self.store.usage(), self.reserve, 0)
        except InsufficientStorage as error:
            yield Concern(ConcernKind.DISK, Light.RED, f"no archive is accepted: {error}")
        else:
            expected = self.growth.growth().expected
            if expected is not None and expected.soon is not None:
                text = f"if it goes on like this, there may be no room from {expected.soon.isoformat()} on"
                yield Concern(ConcernKind.FULL_SOON, Light.YELLOW, text)
        if self.in_use.plan.lacks_channel:
            yield Concern(ConcernKind.NO_CHANNEL, Light.YELLOW, "nobody would be told if something went wrong")
        for channel, its in self.notices.channels().items():
            if its.is_failing and its.given_up is not None:
                text = (
                    f"the channel {channel} reaches nobody: a notice of {rfc3339(its.given_up.created_at)} was "
                    f"given up after {counted(its.given_up.tries, 'try', 'tries')}: {its.given_up.error}"
                )
                yield Concern(ConcernKind.UNDELIVERED, Light.RED, text, channel)
            elif its.in_vain is not None:
                text = (
                    f"the channel {channel} does not take notices: one of {rfc3339(its.in_vain.created_at)} was tried "
                    f"{counted(its.in_vain.tries, 'time')}, at last: {its.in_vain.error}"
                )
                yield Concern(ConcernKind.NOTICES_WAIT, Light.YELLOW, text, channel)
