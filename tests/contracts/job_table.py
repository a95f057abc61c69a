"""What every `JobTable` promises."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tarkeep.domain.errors.jobs import JobOvertaken, JobRunning
from tarkeep.domain.jobs.due import WRONG_CLOCK, JobRecord
from tarkeep.domain.jobs.job import JobReport, Remark
from tarkeep.domain.jobs.run import Run, RunCause, RunOutcome
from tarkeep.domain.ports.upkeep.jobs import KEPT_DAYS, KEPT_RUNS, JobTable
from tarkeep.domain.ports.upkeep.leases import LeaseTable
from tests.support.archives import NOON

MOMENT = NOON + timedelta(microseconds=123_456)
MINUTE = timedelta(minutes=1)
REPORT = JobReport(
    "2 archives of 1 profile moved to the trash",
    {"removed": 2, "removed_bytes": 1 << 40},
    True,
    (Remark("9 archives of 10 would go at once", "laptop"), Remark("the clock jumped")),
    (Remark("der Datenträger ist voll \u2014 \U0001f4be", "web"),),
    is_stopped=True,
)


def ran(table: JobTable, job: str, at: datetime, outcome: RunOutcome = RunOutcome.NOTHING) -> Run:
    """A run that began and ended."""
    run = table.begin(job, RunCause.SCHEDULED, at)
    ended = Run(job, run.number, run.cause, at, outcome, at + MINUTE)
    table.end(ended)
    return ended


class JobTableContract:
    """A test module provides the fixtures ``table``: without jobs, and ``leases``: those of its servers."""

    def test_nothing_is_known_at_first(self, table: JobTable) -> None:
        assert table.records() == {}
        assert table.runs("prune") == []

    def test_what_was_noted_last_is_known(self, table: JobTable) -> None:
        table.note("prune", "0 4 * * * (UTC)", MOMENT)
        table.note("purge", "off", MOMENT)
        table.note("prune", "30 3 * * * (Europe/Paris)", MOMENT + MINUTE)

        assert table.records() == {
            "prune": JobRecord("30 3 * * * (Europe/Paris)", MOMENT + MINUTE),
            "purge": JobRecord("off", MOMENT),
        }

    def test_a_run_is_known_from_its_beginning(self, table: JobTable) -> None:
        table.note("prune", "stated", MOMENT)

        run = table.begin("prune", RunCause.BY_HAND, MOMENT + MINUTE, who="63c5ujmz", tries=2)

        assert run == Run("prune", 1, RunCause.BY_HAND, MOMENT + MINUTE, who="63c5ujmz", tries=2)
        assert table.runs("prune") == [run]
        assert table.records()["prune"] == JobRecord("stated", MOMENT + MINUTE, run)

    @pytest.mark.parametrize("outcome", [outcome for outcome in RunOutcome if outcome is not RunOutcome.RUNNING])
    def test_a_run_ends_as_told(self, table: JobTable, outcome: RunOutcome) -> None:
        number = table.begin("purge", RunCause.MISSED, MOMENT).number
        ended = Run("purge", number, RunCause.MISSED, MOMENT, outcome, MOMENT + MINUTE, REPORT, "no space: \u00fc")

        table.end(ended)

        assert table.runs("purge") == [ended]
        assert table.records()["purge"].last == ended

    def test_who_was_overtaken_writes_nothing(self, table: JobTable, leases: LeaseTable) -> None:
        """Once another server took the lease; that it only ended is no harm, and no other job's lease counts."""
        fence = leases.take("job/prune", "here", timedelta(0))
        run = table.begin("prune", RunCause.SCHEDULED, MOMENT, fence=fence)
        table.note("prune", "stated", MOMENT, fence=fence)
        leases.take("job/purge", "there", MINUTE)
        table.end(run, fence=fence)
        before = table.records()

        other = leases.take("job/prune", "there", MINUTE)
        done = Run("prune", run.number, run.cause, MOMENT, RunOutcome.DONE, MOMENT + MINUTE)
        writes: list[Callable[[], object]] = [
            lambda: table.note("prune", "other", MOMENT + MINUTE, fence=fence),
            lambda: table.end(done, fence=fence),
            lambda: table.begin("prune", RunCause.SCHEDULED, MOMENT, fence=fence),
        ]
        for write in writes:
            with pytest.raises(JobOvertaken):
                write()
        assert table.records() == before
        table.end(run.cut_off(), fence=other)
        assert table.runs("prune") == [run.cut_off()]

    def test_a_run_that_a_crash_cut_off_has_no_end(self, table: JobTable) -> None:
        run = table.begin("purge", RunCause.CONTINUED, MOMENT)
        table.end(run.cut_off())
        assert table.runs("purge") == [run.cut_off()]

    def test_one_run_of_a_job_at_a_time(self, table: JobTable) -> None:
        """Of another job another one may have begun."""
        run = table.begin("prune", RunCause.SCHEDULED, MOMENT)
        table.begin("purge", RunCause.SCHEDULED, MOMENT)

        with pytest.raises(JobRunning) as caught:
            table.begin("prune", RunCause.BY_HAND, MOMENT + MINUTE)

        assert (caught.value.job, caught.value.number) == ("prune", 1)
        assert table.runs("prune") == [run]
        assert table.records()["prune"].covered_until == MOMENT

    def test_runs_are_numbered_for_each_job(self, table: JobTable) -> None:
        table.note("prune", "stated", MOMENT)
        first, second = ran(table, "prune", MOMENT), ran(table, "prune", MOMENT + MINUTE)
        other = ran(table, "purge", MOMENT + 2 * MINUTE)

        assert [run.number for run in (first, second, other)] == [1, 2, 1]
        assert table.runs("prune") == [second, first]
        assert table.records()["prune"] == JobRecord("stated", MOMENT + MINUTE, second)
        assert table.records()["purge"].last == other

    def test_runs_are_read_in_pages(self, table: JobTable) -> None:
        runs = [ran(table, "prune", MOMENT + number * MINUTE) for number in range(5)]

        assert table.runs("prune", limit=2) == [runs[4], runs[3]]
        assert table.runs("prune", before=runs[3].number, limit=2) == [runs[2], runs[1]]
        assert table.runs("prune", before=runs[1].number) == [runs[0]]
        assert table.runs("prune", before=1) == []

    def test_a_clock_set_back_a_little_covers_nothing_twice(self, table: JobTable) -> None:
        table.note("prune", "stated", MOMENT)
        ran(table, "prune", MOMENT - MINUTE)
        assert table.records()["prune"].covered_until == MOMENT

    def test_a_clock_that_was_far_ahead_is_not_believed(self, table: JobTable) -> None:
        table.note("prune", "stated", MOMENT + WRONG_CLOCK + MINUTE)
        ran(table, "prune", MOMENT)
        assert table.records()["prune"].covered_until == MOMENT

    def test_the_last_runs_are_kept(self, table: JobTable) -> None:
        """Numbers go on, and other jobs keep theirs."""
        kept = ran(table, "purge", MOMENT)
        runs = [ran(table, "prune", MOMENT + number * MINUTE) for number in range(KEPT_RUNS + 2)]

        assert table.runs("prune", limit=1000) == list(reversed(runs[2:]))
        assert runs[-1].number == KEPT_RUNS + 2
        assert table.runs("purge") == [kept]
        table.end(runs[0])
        assert len(table.runs("prune", limit=1000)) == KEPT_RUNS

    def test_old_runs_are_dropped_but_the_newest(self, table: JobTable) -> None:
        old = ran(table, "prune", MOMENT)
        assert table.runs("prune") == [old]

        new = ran(table, "prune", MOMENT + timedelta(days=KEPT_DAYS, microseconds=1))

        assert table.runs("prune") == [new]
        assert new.number == old.number + 1
