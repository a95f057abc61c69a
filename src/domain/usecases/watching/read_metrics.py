"""
Measuring a server, for a monitor that asks every minute.

The rule: a value is true or missing. What is not known yet, such as whether an archive restores, is no zero. Every
question costs the same few queries, however many profiles there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime

from attrs import frozen

from ...jobs.run import Run, RunOutcome
from ...notices.routes import PlanInUse
from ...ports.store import ArchiveStore
from ...ports.upkeep.figures import Figures, Tally
from ...ports.upkeep.jobs import KEPT_RUNS, JobTable
from ...ports.upkeep.notices import NoticeTable
from ...ports.upkeep.statuses import StatusTable
from ...profiles.capacity import Reserve
from ...tarkeep_error import TarkeepError
from ...watching.figures import ProfileFigures, SummedFigures, summed
from ..linking.profile_links import ProfileLinks
from ..receiving.outcome import OUTCOMES
from .brakes import KnownBrakes
from .read_storage import KnownGrowth, TrashSize

_SETTLED_AT_ONCE = 20
"""So many profiles whose links are pending are worked out for one answer."""

_GOOD = (RunOutcome.DONE, RunOutcome.NOTHING)
_ENDED = (*_GOOD, RunOutcome.FAILED)


@frozen
class JobFigures:
    """The last ended run of a job: when one last succeeded, None if none did, and whether the last one failed."""

    job: str
    succeeded_at: datetime | None
    has_failed: bool


@frozen
class ServerFigures:
    """
    What concerns no single profile. *trash_bytes* may be as old as `TrashSize` says. From *full_at* on there may be no
    room, if that can be said.
    """

    free_bytes: int | None
    reserve_bytes: int
    trash_bytes: int
    jobs: tuple[JobFigures, ...]
    uploads: dict[str, int]
    read_bytes: int
    undelivered: Mapping[str, int]
    channels: int
    full_at: date | None


@frozen
class Metrics:
    """
    The figures of the *profiles* that were asked for, their sums, those of the *braked* among them, and which are
    *overdue*, as far as the last watch knows.

    *server* is None for whoever may not see all profiles.
    """

    profiles: tuple[ProfileFigures, ...]
    sums: SummedFigures
    braked: frozenset[str]
    overdue: Mapping[str, bool]
    server: ServerFigures | None


@frozen
class ReadMetrics:
    """Measure the server and its profiles."""

    figures: Figures
    links: ProfileLinks
    brakes: KnownBrakes
    trash: TrashSize
    store: ArchiveStore
    jobs: JobTable
    tally: Tally
    reserve: Reserve
    statuses: StatusTable
    notices: NoticeTable
    in_use: PlanInUse
    growth: KnownGrowth

    def __call__(self, wanted: Callable[[str], bool], *, with_server: bool) -> Metrics:
        """
        The figures of the profiles that are *wanted*, and *with_server* those of the server.

        Raises:
            BackendUnavailable: store or catalog cannot be read.
        """
        self._settle(wanted)
        profiles = tuple(one for one in self.figures.of_profiles() if wanted(one.profile))
        server = self._server() if with_server else None
        return Metrics(profiles, summed(profiles), self.brakes.among(profiles), self._overdue(profiles), server)

    def _overdue(self, profiles: Sequence[ProfileFigures]) -> dict[str, bool]:
        versions = {one.profile: one.version for one in profiles}
        kept = self.statuses.all()
        return {one.profile: one.is_overdue for one in kept if versions.get(one.profile) == one.version}

    def _settle(self, wanted: Callable[[str], bool]) -> None:
        """After damage or a rebuild it has to be worked out again what restores."""
        for profile in filter(wanted, self.figures.unsettled(_SETTLED_AT_ONCE)):
            with suppress(TarkeepError):  # such as a catalog that cannot be written: its value is missing
                self.links.update(profile)

    def _server(self) -> ServerFigures:
        usage, expected = self.store.usage(), self.growth.growth().expected
        return ServerFigures(
            usage.free_bytes,
            self.reserve.of(usage),
            self.trash.bytes(),
            tuple(self._jobs()),
            {**dict.fromkeys(OUTCOMES, 0), **self.tally.uploads()},
            self.tally.read_bytes(),
            {name: record.waiting + record.is_failing for name, record in self.notices.channels().items()},
            len(self.in_use.plan.channels),
            None if expected is None else expected.earliest,
        )

    def _jobs(self) -> Iterator[JobFigures]:
        for job, record in sorted(self.jobs.records().items()):
            last = record.last
            if last is None:
                continue
            if last.outcome in _GOOD:
                yield JobFigures(job, last.ended_at, has_failed=False)
                continue
            runs = self.jobs.runs(job, limit=KEPT_RUNS)
            ended = next((run for run in runs if run.outcome in _ENDED), None)
            has_failed = ended is not None and ended.outcome is RunOutcome.FAILED
            yield JobFigures(job, _succeeded_at(runs), has_failed)


def _succeeded_at(runs: list[Run]) -> datetime | None:
    return next((run.ended_at for run in runs if run.outcome in _GOOD), None)
