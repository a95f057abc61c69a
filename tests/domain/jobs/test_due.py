"""When a job is due: at its times, once for those that were missed, and again if it was interrupted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve, frozen

from tarkeep.adapters.cron_lines import CronsimLines
from tarkeep.domain.jobs.due import MOST_JITTER, MOST_TRIES, WRONG_CLOCK, JobRecord, covered_by, due, jitter, next_at
from tarkeep.domain.jobs.job import MOST_REMARKS, OFF, GoOn, Job, JobReport, Remark, Timing
from tarkeep.domain.jobs.run import Run, RunCause, RunOutcome

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FOUR = NOON + timedelta(hours=16)


def nothing(go_on: GoOn) -> JobReport:
    return JobReport("nothing", {}, did_something=False)


def job(line: str = "0 4 * * *", zone: str = "UTC", server: str = "one") -> Job:
    return Job("prune", nothing, Timing(line, zone, CronsimLines().read(line, ZoneInfo(zone))), server)


def record(of: Job, covered_until: datetime = NOON, last: Run | None = None) -> JobRecord:
    return JobRecord(of.timing.stated, covered_until, last)


def test_a_job_is_due_a_little_after_its_time() -> None:
    one = job()
    start = FOUR + jitter(one, FOUR)

    assert next_at(one, record(one), NOON) == start
    assert due(one, record(one), start - timedelta(seconds=1), NOON) is None
    assert due(one, record(one), start, NOON) is RunCause.SCHEDULED
    assert due(one, record(one, start), start, NOON) is None


def test_each_server_has_its_own_delay() -> None:
    """Always the same, at most five minutes, and at most a tenth of the time between two runs."""
    delays = [jitter(job(server=f"server {number}"), FOUR) for number in range(200)]
    short = [jitter(job("* * * * *", server=f"server {number}"), FOUR) for number in range(200)]

    assert jitter(job(), FOUR) == jitter(job(), FOUR)
    assert min(delays) < timedelta(seconds=30)
    assert timedelta(seconds=270) < max(delays) <= MOST_JITTER
    assert max(short) <= timedelta(seconds=6)
    assert len(set(delays)) > 100
    assert all(not delay.microseconds for delay in delays)


def test_a_time_that_came_while_no_server_ran_was_missed() -> None:
    one = job()
    now = NOON + 3 * DAY
    assert due(one, record(one), now, serving_since=now) is RunCause.MISSED
    assert due(one, record(one), now, serving_since=NOON) is RunCause.SCHEDULED  # it waited for another job


def test_times_that_are_stated_anew_were_not_missed() -> None:
    one = job()
    known = JobRecord("30 3 * * * (UTC)", NOON)
    assert due(one, known, NOON + 3 * DAY, NOON + 3 * DAY) is None


@pytest.mark.parametrize("outcome", [RunOutcome.DONE, RunOutcome.NOTHING, RunOutcome.FAILED])
def test_what_ended_runs_at_its_next_time(outcome: RunOutcome) -> None:
    """Also after a failure."""
    one = job()
    known = record(one, last=Run("prune", 1, RunCause.SCHEDULED, NOON, outcome, NOON))
    assert due(one, known, NOON, NOON) is None
    assert due(one, known, FOUR + HOUR, NOON) is RunCause.SCHEDULED


def test_what_was_interrupted_goes_on_at_once() -> None:
    one = job()
    last = Run("prune", 1, RunCause.SCHEDULED, NOON, RunOutcome.INTERRUPTED, NOON, tries=9)
    assert due(one, record(one, last=last), NOON, NOON, is_start=True) is RunCause.CONTINUED
    assert due(one, record(one, last=last), NOON, NOON) is None


def test_what_crashes_the_server_again_and_again_waits_for_its_time() -> None:
    one = job()
    last = Run("prune", 1, RunCause.SCHEDULED, NOON, tries=MOST_TRIES).cut_off()

    before = record(one, last=evolve(last, tries=MOST_TRIES - 1))
    assert due(one, before, NOON, NOON, is_start=True) is RunCause.CONTINUED
    assert due(one, record(one, last=last), NOON, NOON, is_start=True) is None
    assert due(one, record(one, last=last), FOUR + HOUR, NOON) is RunCause.SCHEDULED


def test_a_job_that_is_off_is_never_due() -> None:
    one = Job("prune", nothing, OFF)
    last = Run("prune", 1, RunCause.SCHEDULED, NOON, RunOutcome.INTERRUPTED)
    assert next_at(one, record(one, last=last), NOON + 99 * DAY) is None
    assert due(one, record(one, last=last), NOON + 99 * DAY, NOON, is_start=True) is None
    assert jitter(one, NOON) == timedelta()


def test_the_times_are_those_of_the_zone() -> None:
    """On both nights in which the clocks of Berlin are set, a job of every night runs once."""
    one = job("30 2 * * *", "Europe/Berlin")
    for night, expected in (
        (datetime(2026, 3, 28, 12, tzinfo=UTC), "01:00"),
        (datetime(2026, 10, 24, 12, tzinfo=UTC), "00:30"),
    ):
        covered, starts = night, []
        now = night
        while now < night + DAY:
            now += timedelta(minutes=1)
            if due(one, record(one, covered), now, night) is not None:
                covered = now
                starts.append(now)
        (start,) = starts
        slot = datetime.fromisoformat(f"{night + DAY:%Y-%m-%d}T{expected}Z")
        assert slot <= start <= slot + MOST_JITTER + timedelta(minutes=1)


def test_a_clock_that_was_far_ahead_is_not_believed() -> None:
    """A server whose clock showed another year runs its jobs when that is mended."""
    one = job()
    ahead = record(one, NOON + timedelta(days=400))
    assert due(one, ahead, NOON, NOON) is None
    assert next_at(one, ahead, NOON) == next_at(one, record(one), NOON)
    assert covered_by(NOON + WRONG_CLOCK, NOON) == NOON + WRONG_CLOCK
    assert covered_by(NOON + WRONG_CLOCK + HOUR, NOON) == NOON


@frozen
class Never:
    """A `Schedule` without times."""

    def after(self, moment: datetime) -> datetime:
        return datetime.max.replace(tzinfo=UTC)


def test_times_that_never_come_are_never_due() -> None:
    one = Job("prune", nothing, Timing("", "UTC", Never()))
    assert next_at(one, record(one), NOON) == datetime.max.replace(tzinfo=UTC)
    assert due(one, record(one), NOON + 99 * DAY, NOON) is None


def test_a_run_failed_if_it_did_nothing_and_something_failed() -> None:
    run = Run("prune", 1, RunCause.SCHEDULED, NOON)
    problem = (Remark("the disk is full", "laptop"),)

    ended = {
        did: [run.ended(JobReport("", {}, did, problems=problems), NOON) for problems in ((), problem)]
        for did in (True, False)
    }

    assert [one.outcome for one in ended[True]] == [RunOutcome.DONE, RunOutcome.DONE]
    assert [one.outcome for one in ended[False]] == [RunOutcome.NOTHING, RunOutcome.FAILED]
    assert ended[False][1].error == "the disk is full"
    stopped = run.ended(JobReport("", {}, True, problems=problem, is_stopped=True), NOON)
    assert (stopped.outcome, stopped.error) == (RunOutcome.INTERRUPTED, "")


def test_a_report_keeps_some_remarks_of_each_kind() -> None:
    many = tuple(Remark(str(number)) for number in range(1000))
    report = JobReport("", {}, did_something=False, waits=many, problems=many[:MOST_REMARKS])
    assert report.waits == (*many[: MOST_REMARKS - 1], Remark("and 951 more"))
    assert report.problems == many[:MOST_REMARKS]
