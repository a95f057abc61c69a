"""
Layer 3, continued. The table of jobs in SQLite: the power is cut at each change, and each write and sync fails.

Jobs run and are asked for, over a catalog on the file system that forgets; a table in memory is told what the one on
the disk has acknowledged. Both are alike at any time, but for the one call whose end is unknown. Where all that was
written survives a cut, it is as if the process had been killed.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

import pytest
from attrs import define, field

from tarkeep.adapters.cron_lines import CronsimLines
from tarkeep.adapters.memory.upkeep.job_table import MemoryJobTable
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.errors.jobs import JobRunning
from tarkeep.domain.jobs.due import JobRecord
from tarkeep.domain.jobs.job import GoOn, Job, JobReport, Timing
from tarkeep.domain.jobs.run import Run, RunCause, RunOutcome
from tarkeep.domain.ports.upkeep.jobs import JobTable
from tarkeep.domain.tarkeep_error import TarkeepError
from tarkeep.domain.usecases.jobs.run_due import RunDueJobs, SettleRuns
from tarkeep.domain.usecases.jobs.show_jobs import AskForRun
from tests.faults.lossy_mount import LossyMount, lossy_mount
from tests.support.clocks import FixedClock

pytestmark = pytest.mark.faults

HOURLY = Timing("0 * * * *", "UTC", CronsimLines().read("0 * * * *", UTC))
MOST_RUNS = 1000
SEEDS = 4
_Result = TypeVar("_Result")


@define(eq=False)
class ComparedTable:
    """
    The `JobTable` of *sql*, on *mount*.

    *known* has what that acknowledged, *unknown* is the first call that failed since.
    """

    mount: LossyMount
    sql: JobTable
    known: MemoryJobTable
    unknown: Callable[[JobTable], object] | None = None

    def records(self) -> dict[str, JobRecord]:
        return self.sql.records()

    def runs(self, job: str, *, before: int | None = None, limit: int = 20) -> list[Run]:
        return self.sql.runs(job, before=before, limit=limit)

    def note(self, job: str, stated: str, covered_until: datetime, *, fence: int | None = None) -> None:
        self._change(lambda table: table.note(job, stated, covered_until, fence=fence))

    def begin(
        self,
        job: str,
        cause: RunCause,
        now: datetime,
        *,
        who: str | None = None,
        tries: int = 1,
        fence: int | None = None,
    ) -> Run:
        return self._change(lambda table: table.begin(job, cause, now, who=who, tries=tries, fence=fence))

    def end(self, run: Run, *, fence: int | None = None) -> None:
        self._change(lambda table: table.end(run, fence=fence))

    def compare(self) -> None:
        """The table on the disk is as known, with the unknown call or without it; from now on that is known."""
        unknown, self.unknown = self.unknown, None
        if _content(self.sql) != _content(self.known) and unknown is not None:
            unknown(self.known)
        assert _content(self.sql) == _content(self.known)

    def _change(self, change: Callable[[JobTable], _Result]) -> _Result:
        try:
            result = change(self.sql)
        except JobRunning:
            raise
        except TarkeepError:
            self.unknown = self.unknown or change
            if not self.mount.is_off:  # else SQLite shows what it has in memory, and the disk may have more
                self.compare()
            raise
        assert change(self.known) == result
        return result


def _content(table: JobTable) -> tuple[dict[str, JobRecord], dict[str, list[Run]]]:
    records = table.records()
    return records, {job: table.runs(job, limit=MOST_RUNS) for job in records}


@define(eq=False)
class Lives:
    """A server that is started again and again over the table on *mount*."""

    mount: LossyMount
    known: MemoryJobTable = field(factory=MemoryJobTable)
    clock: FixedClock = field(factory=FixedClock)
    unknown: Callable[[JobTable], object] | None = None
    continued: int = 0
    _compared: ComparedTable | None = None

    @property
    def jobs(self) -> tuple[Job, ...]:
        def work(go_on: GoOn) -> JobReport:
            return JobReport("something", {"steps": 1}, did_something=True)

        return tuple(Job(name, work, HOURLY) for name in ("prune", "purge"))

    def started(self) -> closing[Any]:
        """The catalog, as a new process opens it; what is in its table is what is known."""
        catalog = SqlCatalog.open(f"sqlite:///{self.mount.path}/catalog.sqlite", busy_seconds=1)
        self._compared = ComparedTable(self.mount, catalog.jobs, self.known, self.unknown)
        self._compared.compare()
        return closing(catalog)

    def live(self) -> None:
        """Settle, run what is due, and what somebody asks for later. Nothing is said of what that comes to."""
        table = self.table
        SettleRuns(table)()
        due = RunDueJobs(self.jobs, table, self.clock)
        due(lambda: True, lambda _run, _error: None)
        self.clock.advance(timedelta(minutes=70))  # a time of the schedule comes, however late the job begins
        with suppress(TarkeepError):
            AskForRun(self.jobs, table, self.clock)("purge", "63c5ujmz")
        for _ in range(2):  # the second look notes what the first could not
            due(lambda: True, lambda _run, _error: None)

    def live_well(self) -> None:
        """The same; whatever happened before, each job runs, and what was interrupted goes on."""
        table = self.table
        before = {job: table.runs(job, limit=MOST_RUNS) for job in table.records()}
        cut_off = [runs[0] for runs in before.values() if runs[0].outcome is RunOutcome.RUNNING]
        assert all(run.outcome is not RunOutcome.RUNNING for runs in before.values() for run in runs[1:])
        self.live()
        for job in ("prune", "purge"):
            runs = table.runs(job, limit=MOST_RUNS)
            number = before[job][0].number if before.get(job) else 0
            assert [run.outcome for run in runs if run.number > number].count(RunOutcome.DONE) >= 1
            assert all(run.outcome is not RunOutcome.RUNNING for run in runs)
        for run in cut_off:
            following, told = table.runs(run.job, before=run.number + 2, limit=2)
            assert told == run.cut_off()
            assert (following.cause, following.outcome) == (RunCause.CONTINUED, RunOutcome.DONE)
        self.continued += len(cut_off)

    @property
    def table(self) -> ComparedTable:
        assert self._compared is not None
        return self._compared

    def end(self, seed: int) -> None:
        """The power is off; what *seed* lets survive is there at the next start."""
        self.unknown = self.table.unknown
        self.mount.restore(seed)


@pytest.fixture
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    with lossy_mount(tmp_path_factory.mktemp("jobs") / "lossy") as mount:
        yield Lives(mount)


def test_runs_are_as_they_were_told_after_a_power_cut_at_any_change(lives: Lives) -> None:
    """One that was told done is done, one that was cut off is told so and goes on, and no two of a job run at once."""
    for changes in count():
        for seed in range(SEEDS):
            with lives.started():
                lives.live_well()
                lives.mount.cut_after(changes)
                with suppress(TarkeepError):
                    lives.live()
                was_cut = lives.mount.is_off
            lives.end(SEEDS * changes + seed)
        if not was_cut:
            break
    assert changes > 30
    assert lives.continued > 10 * SEEDS


@pytest.mark.parametrize(("call", "error"), [("write", "ENOSPC"), ("write", "EIO"), ("fsync", "EIO")])
def test_runs_are_as_they_were_told_after_a_call_that_failed(lives: Lives, call: str, error: str) -> None:
    """Jobs run all the same, and what could not be noted of them is noted at the next look."""
    with lives.started():
        lives.live_well()
        for which in count(1):
            lives.mount.fail(call, "*/catalog.sqlite*", which, getattr(errno, error))
            lives.live()
            if not lives.mount.has_fired():
                break
            lives.table.compare()
            lives.live_well()
    assert which > 4
