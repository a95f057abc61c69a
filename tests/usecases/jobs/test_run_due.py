"""Running jobs: at their times, across starts, stops and crashes of the server, with a table that may fail."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from tarkeep.adapters.cron_lines import CronsimLines
from tarkeep.adapters.memory.shared.lease_table import MemoryLeaseTable
from tarkeep.adapters.memory.upkeep.job_table import MemoryJobTable
from tarkeep.adapters.process.upkeep.renewed_leases import RenewedLeases
from tarkeep.domain.errors.capacity import BackendUnavailable, InsufficientStorage
from tarkeep.domain.errors.jobs import JobNotFound, JobRunning
from tarkeep.domain.jobs.due import MOST_JITTER, MOST_TRIES
from tarkeep.domain.jobs.job import OFF, GoOn, Job, JobReport, JobWork, Timing
from tarkeep.domain.jobs.run import Run, RunCause, RunOutcome
from tarkeep.domain.ports.upkeep.jobs import JobTable
from tarkeep.domain.ports.upkeep.leases import Leases
from tarkeep.domain.usecases.jobs.run_due import RunDueJobs, SettleRuns
from tarkeep.domain.usecases.jobs.show_jobs import AskForRun, ListJobs, ListRuns
from tests.support.assembled import Crash, Fuse
from tests.support.clocks import FixedClock

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DONE = JobReport("something", {"steps": 1}, did_something=True)
NOTHING = JobReport("nothing", {}, did_something=False)


class AtFour:
    """The `Schedule` of every day at four, without cron."""

    def after(self, moment: datetime) -> datetime:
        four = moment.replace(hour=4, minute=0, second=0, microsecond=0)
        return four if four > moment else four + DAY


@define
class Server:
    """A server that may be started again over the same table; `works` are its jobs, `told` what it logs."""

    works: dict[str, JobWork]
    line: str = "0 4 * * *"
    clock: FixedClock = field(factory=FixedClock)
    table: JobTable = field(factory=MemoryJobTable)
    told: list[tuple[str, RunOutcome, bool]] = field(factory=list)
    goes_on: bool = True
    leases: Leases | None = None
    run_due: RunDueJobs = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.start()

    @property
    def jobs(self) -> tuple[Job, ...]:
        timing = OFF
        if self.line != "off":
            schedule = AtFour() if self.line == "four" else CronsimLines().read(self.line, UTC)
            timing = Timing(self.line, "UTC", schedule)
        return tuple(Job(name, work, timing) for name, work in self.works.items())

    def start(self) -> None:
        self.goes_on = True
        self.run_due = RunDueJobs(self.jobs, self.table, self.clock, self.leases)
        SettleRuns(self.table, is_alone=self.leases is None)()
        self.look()

    def look(self, *, asked_only: bool = False) -> None:
        def tell(run: Run, error: Exception | None) -> None:
            self.told.append((run.job, run.outcome, error is not None))

        self.run_due(lambda: self.goes_on, tell, asked_only=asked_only)

    def at(self, moment: datetime) -> None:
        """Look each minute until *moment*."""
        while self.clock.now() < moment:
            self.clock.advance(min(timedelta(minutes=1), moment - self.clock.now()))
            self.look()

    def ask(self, job: str = "prune") -> Run:
        return AskForRun(self.jobs, self.table, self.clock)(job, "63c5ujmz")

    def runs(self, job: str = "prune") -> list[tuple[RunCause, RunOutcome]]:
        """Those of *job*, the oldest first."""
        return [(run.cause, run.outcome) for run in reversed(ListRuns(self.jobs, self.table)(job, limit=100))]


def server(work: JobWork = lambda go_on: DONE, line: str = "0 4 * * *") -> Server:
    return Server({"prune": work}, line)


def test_a_job_runs_once_at_each_of_its_times() -> None:
    one = server()
    one.at(NOON + 3 * DAY)

    assert one.runs() == [(RunCause.SCHEDULED, RunOutcome.DONE)] * 3
    first = ListRuns(one.jobs, one.table)("prune")[-1]
    assert NOON + 16 * HOUR <= first.started_at <= NOON + 16 * HOUR + MOST_JITTER + timedelta(minutes=1)
    assert first.report == DONE
    assert one.told == [("prune", RunOutcome.RUNNING, False), ("prune", RunOutcome.DONE, False)] * 3


def test_the_first_start_of_a_store_has_missed_nothing() -> None:
    """A second start soon afterwards neither."""
    one = server()
    one.start()
    assert one.runs() == []


def test_times_missed_while_no_server_ran_are_made_up_for_once() -> None:
    one = server()
    one.clock.advance(5 * DAY)

    one.start()
    one.start()
    one.look()

    assert one.runs() == [(RunCause.MISSED, RunOutcome.DONE)]


def test_a_job_that_waited_for_another_was_not_missed() -> None:
    """Jobs run one after the other, in their order, each once."""
    one = server()

    def slow(go_on: GoOn) -> JobReport:
        one.clock.advance(50 * HOUR)
        return NOTHING

    one.works["slow"] = one.works.pop("prune")
    one.works = {"slow": slow, "prune": one.works["slow"]}
    one.start()
    one.at(NOON + 17 * HOUR)

    assert one.runs("slow")[0] == (RunCause.SCHEDULED, RunOutcome.NOTHING)
    assert one.runs() == [(RunCause.SCHEDULED, RunOutcome.DONE)]
    one.look()
    assert one.runs("slow") == [(RunCause.SCHEDULED, RunOutcome.NOTHING)] * 2  # once for the two times in between


def test_what_is_off_runs_by_hand_only() -> None:
    one = server(line="off")
    one.at(NOON + 2 * DAY)
    assert one.runs() == []

    one.ask()
    one.look()

    assert one.runs() == [(RunCause.BY_HAND, RunOutcome.DONE)]
    (shown,) = ListJobs(one.jobs, one.table, one.clock)()
    assert (shown.next_at, shown.last and shown.last.who) == (None, "63c5ujmz")


def test_another_schedule_begins_when_the_server_starts_with_it() -> None:
    one = server()
    one.at(NOON + HOUR)
    one.line = "0 11 * * *"
    one.clock.advance(DAY)
    one.start()
    assert one.runs() == []

    one.at(NOON + 2 * DAY)

    assert one.runs() == [(RunCause.SCHEDULED, RunOutcome.DONE)]


def test_a_job_runs_once_at_a_time() -> None:
    """Who asks again is told the number of the run; a run by hand covers a time that was missed."""
    one = server()
    one.clock.advance(DAY)
    run = one.ask()
    with pytest.raises(JobRunning) as refused:
        one.ask()
    assert refused.value.number == run.number

    one.start()  # it did not begin before: so it goes on
    one.look()

    assert one.runs() == [(RunCause.BY_HAND, RunOutcome.INTERRUPTED), (RunCause.CONTINUED, RunOutcome.DONE)]
    assert one.ask().number == 3


def test_an_unknown_job_is_none() -> None:
    one = server()
    with pytest.raises(JobNotFound, match="there is no job scrub; the jobs are prune"):
        one.ask("scrub")
    with pytest.raises(JobNotFound):
        one.runs("scrub")


def test_only_what_was_asked_for_runs_where_no_server_runs() -> None:
    one = server()
    one.works["purge"] = lambda go_on: NOTHING
    one.clock.advance(DAY)
    one.run_due = RunDueJobs(one.jobs, one.table, one.clock)
    one.ask("purge")

    one.look(asked_only=True)

    assert one.runs("purge") == [(RunCause.BY_HAND, RunOutcome.NOTHING)]
    assert one.runs("prune") == []


# -- stops and crashes -----------------------------------------------------------------------------------------------


def test_a_stop_interrupts_and_the_next_start_goes_on() -> None:
    """Further jobs that are due do not begin."""
    one = server()

    def stops(go_on: GoOn) -> JobReport:
        assert go_on()
        one.goes_on = False
        assert not go_on()
        return JobReport("half", {}, did_something=True, is_stopped=True)

    one.works = {"prune": stops, "purge": lambda go_on: DONE}
    one.start()
    one.at(NOON + 17 * HOUR)
    assert one.runs() == [(RunCause.SCHEDULED, RunOutcome.INTERRUPTED)]
    assert one.runs("purge") == []

    one.works["prune"] = lambda go_on: DONE
    one.start()
    one.look()

    assert one.runs() == [(RunCause.SCHEDULED, RunOutcome.INTERRUPTED), (RunCause.CONTINUED, RunOutcome.DONE)]
    assert one.runs("purge") == [(RunCause.MISSED, RunOutcome.DONE)]


def test_a_crash_interrupts_and_the_next_start_goes_on_but_not_for_ever() -> None:
    """Each try is a run of its own; after some the job waits for its time, and the server is left in peace."""
    one = server()

    def crashes(go_on: GoOn) -> JobReport:
        raise Crash

    one.works["prune"] = crashes
    one.clock.advance(DAY)
    for _ in range(MOST_TRIES):
        with pytest.raises(Crash):
            one.start()
        one.clock.advance(timedelta(minutes=1))

    one.start()
    one.look()
    assert one.runs() == [
        (RunCause.MISSED, RunOutcome.INTERRUPTED),
        *[(RunCause.CONTINUED, RunOutcome.INTERRUPTED)] * (MOST_TRIES - 1),
    ]
    assert ListRuns(one.jobs, one.table)("prune")[0].ended_at is None

    one.works["prune"] = lambda go_on: DONE
    one.start()
    one.at(NOON + 2 * DAY)
    assert one.runs()[MOST_TRIES:] == [(RunCause.SCHEDULED, RunOutcome.DONE)]


def test_a_crash_at_any_call_of_the_table_loses_no_time_and_runs_none_twice() -> None:
    """Twice only what was under way."""
    for step in range(1, 100):
        one = server()
        fuse = Fuse()
        kept, one.table = one.table, fuse.around(one.table)
        worked: list[datetime] = []

        def work(go_on: GoOn, one: Server = one, worked: list[datetime] = worked) -> JobReport:
            worked.append(one.clock.now())
            return DONE

        one.works["prune"] = work
        one.clock.advance(DAY)
        fuse.blows_at = step
        try:
            one.start()
        except Crash:
            one.table = kept
            one.start()
            one.look()
            assert len(worked) in (1, 2)
            assert one.runs()[-1][1] is RunOutcome.DONE
        else:
            assert step > 5
            break
    else:
        pytest.fail("it never came through")


# -- failures --------------------------------------------------------------------------------------------------------


def test_a_failure_is_told_and_the_others_go_on() -> None:
    """A fault of the program, too, which is told with its cause."""
    one = server()

    def fails(go_on: GoOn) -> JobReport:
        raise BackendUnavailable("store", "the disk is gone")

    def is_wrong(go_on: GoOn) -> JobReport:
        raise KeyError("x")

    one.works = {"prune": fails, "scrub": is_wrong, "purge": lambda go_on: NOTHING}
    one.start()
    one.at(NOON + 17 * HOUR)

    assert one.runs() == one.runs("scrub") == [(RunCause.SCHEDULED, RunOutcome.FAILED)]
    assert ListRuns(one.jobs, one.table)("prune")[0].error == "the store is not available: the disk is gone"
    assert ListRuns(one.jobs, one.table)("scrub")[0].error == "the server failed; its log has the details"
    assert one.runs("purge") == [(RunCause.SCHEDULED, RunOutcome.NOTHING)]
    assert [told for told in one.told if told[2]] == [("scrub", RunOutcome.FAILED, True)]
    one.at(NOON + 41 * HOUR)
    assert one.runs() == [(RunCause.SCHEDULED, RunOutcome.FAILED)] * 2


class FullTable(MemoryJobTable):
    """A `JobTable` on a disk that is full while `is_full`."""

    is_full = False

    def note(self, job: str, stated: str, covered_until: datetime, *, fence: int | None = None) -> None:
        self._check()
        super().note(job, stated, covered_until, fence=fence)

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
        self._check()
        return super().begin(job, cause, now, who=who, tries=tries, fence=fence)

    def end(self, run: Run, *, fence: int | None = None) -> None:
        self._check()
        super().end(run, fence=fence)

    def _check(self) -> None:
        if self.is_full:
            raise InsufficientStorage


def test_on_a_full_disk_jobs_run_all_the_same() -> None:
    """Once for each time: one of them frees space. They are noted as soon as they can be."""
    table, count = FullTable(), 0

    def work(go_on: GoOn) -> JobReport:
        nonlocal count
        count += 1
        return DONE

    one = Server({"prune": work}, table=table)
    table.is_full = True
    one.at(NOON + DAY)
    assert (count, one.runs()) == (1, [])
    assert (("prune", RunOutcome.RUNNING, True)) in one.told

    table.is_full = False
    one.look()
    assert table.records()["prune"].covered_until > NOON + 16 * HOUR
    one.start()
    one.at(NOON + 2 * DAY)
    assert count == 2


def test_a_schedule_that_cannot_be_noted_counts() -> None:
    """As after another one was stated on a full disk, to purge sooner."""
    table = FullTable()
    one = Server({"prune": lambda go_on: DONE}, table=table)
    table.is_full, one.line = True, "0 * * * *"
    one.start()
    one.at(NOON + HOUR + timedelta(minutes=10))
    assert one.told[-1] == ("prune", RunOutcome.DONE, False)


def test_an_end_that_cannot_be_noted_is_noted_later() -> None:
    """And the job does not run a second time."""
    table = FullTable()
    count = 0

    def work(go_on: GoOn) -> JobReport:
        nonlocal count
        count += 1
        table.is_full = True
        return DONE

    one = Server({"prune": work}, table=table)
    one.at(NOON + 17 * HOUR)
    assert (count, one.runs()) == (1, [(RunCause.SCHEDULED, RunOutcome.RUNNING)])

    table.is_full = False
    one.look()

    assert (count, one.runs()) == (1, [(RunCause.SCHEDULED, RunOutcome.DONE)])


# -- each time is covered once ---------------------------------------------------------------------------------------

Step = tuple[str, int]
UNIT = timedelta(minutes=20)
STEPS = st.lists(
    st.tuples(st.sampled_from(["up", "down", "restart", "by hand", "crash", "stop", "fail"]), st.integers(1, 150)),
    max_size=8,
)


@settings(deadline=None, max_examples=60)
@given(steps=STEPS, last=st.integers(1, 80))
def test_each_time_is_covered_by_one_run_across_whatever_happens(steps: list[Step], last: int) -> None:
    """
    Missed or not, through stops, crashes and failures: none is left out, and no run begins without one of its own.

    The *steps* and what follows the *last* of them are in units of 20 minutes.
    """
    plan = ["end"]

    def work(go_on: GoOn) -> JobReport:
        if plan[0] == "crash":
            plan[0] = "end"
            raise Crash
        if plan[0] == "fail":
            raise BackendUnavailable("store")
        return JobReport("", {}, did_something=True, is_stopped=plan[0] == "stop")

    one = server(work, "four")
    for what, units in steps:
        plan[0] = what if what in ("crash", "stop", "fail") else "end"
        if what in ("down", "restart"):
            one.clock.advance(units * UNIT if what == "down" else timedelta())
            one.start()
        elif what == "by hand":
            one.ask()
            one.look()
        else:
            until = one.clock.now() + units * UNIT
            while one.clock.now() < until:
                one.clock.advance(timedelta(minutes=1))
                try:
                    one.look()
                except Crash:
                    one.start()
    plan[0] = "end"
    one.start()
    for _ in range(last):
        one.clock.advance(UNIT)
        one.look()

    runs = list(reversed(ListRuns(one.jobs, one.table)("prune", limit=100)))
    slots = [NOON + 16 * HOUR + day * DAY for day in range(60)]
    passed = [slot for slot in slots if slot <= one.clock.now() - MOST_JITTER - UNIT]
    before = NOON
    for run in runs:
        own = [slot for slot in slots if before < slot <= run.started_at]
        assert own or run.cause in (RunCause.BY_HAND, RunCause.CONTINUED), "it began without a time of its own"
        before = run.started_at
    assert [slot for slot in passed if slot > before] == [], "a time was left out"
    assert all(run.outcome is not RunOutcome.RUNNING for run in runs)
    assert len(runs) < 100


def test_others_run_in_between_while_a_job_gives_way() -> None:
    """A job that lasts for days keeps nobody waiting; and it does not begin within itself."""
    order: list[str] = []
    clock = FixedClock()

    def short(go_on: GoOn) -> JobReport:
        order.append("prune")
        return DONE

    def long(go_on: GoOn) -> JobReport:
        order.append("scrub begins")
        for _ in range(3):
            clock.advance(DAY)
            assert go_on()
        order.append("scrub ends")
        return DONE

    table = MemoryJobTable()
    timing = Timing("0 4 * * *", "UTC", AtFour())
    jobs = (Job("prune", short, timing), Job("scrub", long, timing, gives_way=True))
    run_due = RunDueJobs(jobs, table, clock)
    run_due(lambda: True, lambda run, error: None)
    clock.advance(DAY)
    run_due(lambda: True, lambda run, error: None)

    assert order == ["prune", "scrub begins", "prune", "prune", "prune", "scrub ends"]
    assert {job: record.last and record.last.outcome for job, record in table.records().items()} == {
        "prune": RunOutcome.DONE,
        "scrub": RunOutcome.DONE,
    }


def test_frequent_jobs_run_in_between_while_any_job_does() -> None:
    """So a night of pruning keeps nobody from being told; a frequent one is not interrupted itself."""
    order: list[str] = []
    clock = FixedClock()

    def work(name: str, go_on: GoOn) -> JobReport:
        order.append(name)
        for _ in range(2):
            clock.advance(DAY)
            assert go_on()
        order.append(f"{name} ends")
        return DONE

    timing = Timing("0 4 * * *", "UTC", AtFour())
    jobs = tuple(
        Job(name, partial(work, name), timing, is_frequent=name == "watch") for name in ("watch", "prune", "purge")
    )
    run_due = RunDueJobs(jobs, MemoryJobTable(), clock)
    run_due(lambda: True, lambda run, error: None)
    clock.advance(DAY)
    run_due(lambda: True, lambda run, error: None)

    watched = ["watch", "watch ends"]
    assert order == [
        *watched,
        *("prune", *watched, *watched, "prune ends"),
        *("purge", *watched, *watched, "purge ends"),
    ]


def test_a_job_that_does_not_give_way_is_alone() -> None:
    order: list[str] = []
    clock = FixedClock()

    def work(go_on: GoOn) -> JobReport:
        order.append("begins")
        clock.advance(DAY)
        assert go_on()
        order.append("ends")
        return DONE

    timing = Timing("0 4 * * *", "UTC", AtFour())
    jobs = tuple(Job(name, work, timing) for name in ("one", "other"))
    run_due = RunDueJobs(jobs, MemoryJobTable(), clock)
    run_due(lambda: True, lambda run, error: None)
    clock.advance(DAY)
    run_due(lambda: True, lambda run, error: None)

    assert order == ["begins", "ends"] * 2


def test_a_stop_reaches_a_job_that_gives_way_and_begins_no_other() -> None:
    ran: list[str] = []
    clock = FixedClock()
    goes_on = True

    def long(go_on: GoOn) -> JobReport:
        nonlocal goes_on
        clock.advance(DAY)
        goes_on = False
        ran.append("stopped" if not go_on() else "goes on")
        return JobReport("a part", {}, did_something=True, is_stopped=True)

    def short(go_on: GoOn) -> JobReport:
        ran.append("prune")
        return DONE

    timing = Timing("0 4 * * *", "UTC", AtFour())
    jobs = (Job("scrub", long, timing, gives_way=True), Job("prune", short, timing))
    run_due = RunDueJobs(jobs, MemoryJobTable(), clock)
    run_due(lambda: goes_on, lambda run, error: None)
    clock.advance(DAY)
    run_due(lambda: goes_on, lambda run, error: None)

    assert ran == ["stopped"]


# -- several servers over one table ------------------------------------------------------------------------------------


@define
class Sharing:
    """Servers over one table of jobs and one of leases, with one clock; `began` is who began a run, in order."""

    clock: FixedClock = field(factory=FixedClock)
    leases: MemoryLeaseTable = field(factory=MemoryLeaseTable)
    table: JobTable = field(init=False)
    began: list[str] = field(factory=list)
    meanwhile: dict[str, Callable[[], None]] = field(factory=dict)

    @table.default
    def _with_its_leases(self) -> JobTable:
        return MemoryJobTable(self.leases)

    def server(self, name: str, renewed: RenewedLeases | None = None) -> Server:
        def work(go_on: GoOn) -> JobReport:
            self.began.append(name)
            self.meanwhile.pop(name, lambda: None)()
            return DONE if go_on() else JobReport("stopped", {}, did_something=True, is_stopped=True)

        leases = renewed or RenewedLeases(self.leases, name, every=DAY, ticks=lambda: 0.0)
        return Server({"prune": work}, "four", self.clock, self.table, leases=leases)


def test_of_two_servers_one_runs_a_job() -> None:
    """Whoever looks first; the other finds that it was done, or that it is being done."""
    sharing = Sharing()
    one, other = sharing.server("one"), sharing.server("other")
    for day in range(1, 4):
        sharing.clock.moment = NOON + day * DAY
        first, second = (one, other) if day % 2 else (other, one)
        sharing.meanwhile = {"one": other.look, "other": one.look}
        first.look()
        second.look()

    assert sharing.began == ["one", "other", "one"]
    assert one.runs() == [(RunCause.SCHEDULED, RunOutcome.DONE)] * 3


def test_who_decided_too_early_looks_again() -> None:
    """Between reading what is due and getting the lease, another server may have run it to its end."""
    sharing = Sharing()
    one, other = sharing.server("one"), sharing.server("other")

    class Slow(MemoryLeaseTable):
        def take(self, name: str, holder: str, ttl: timedelta) -> int | None:
            other.look()
            return sharing.leases.take(name, holder, ttl)

    one = sharing.server("one", RenewedLeases(Slow(), "one", every=DAY, ticks=lambda: 0.0))
    sharing.clock.moment = NOON + DAY
    one.look()

    assert sharing.began == ["other"]


def test_what_a_dead_server_left_is_continued_by_another() -> None:
    """Once its lease has ended; not before, and no more often than is good."""
    sharing = Sharing()
    sharing.server("first")
    sharing.clock.moment = NOON + DAY

    def die() -> None:
        raise Crash

    for number in range(1, MOST_TRIES + 3):
        sharing.meanwhile["dying"] = die
        with suppress(Crash):
            sharing.server("dying")
        run = sharing.table.records()["prune"].last
        assert run is not None
        if run.outcome is RunOutcome.RUNNING:
            assert run.tries == number
            # its machine is gone, and its lease runs on for a while
            assert sharing.leases.take("job/prune", "dead", HOUR) is not None
            sharing.server("other")
            assert "other" not in sharing.began
            sharing.leases.take("job/prune", "dead", timedelta())

    assert sharing.began == ["dying"] * MOST_TRIES
    sharing.clock.moment = NOON + 2 * DAY
    sharing.server("other")
    assert sharing.began[-1] == "other"


def test_a_start_takes_nothing_from_others() -> None:
    """What they run seems to be running, and is."""
    sharing = Sharing()
    one = sharing.server("one")
    sharing.clock.moment = NOON + DAY
    sharing.meanwhile["one"] = lambda: outcomes.append(SettleRuns(sharing.table, is_alone=False)())
    outcomes: list[tuple[Run, ...]] = []
    one.look()

    assert outcomes == [()]
    assert one.runs() == [(RunCause.SCHEDULED, RunOutcome.DONE)]


def test_a_job_whose_lease_was_lost_stops() -> None:
    """At its next clean point: another server may run it by now."""
    sharing, seconds = Sharing(), [0.0]
    leases = RenewedLeases(sharing.leases, "one", every=DAY, ticks=lambda: seconds[0])
    one = sharing.server("one", leases)
    sharing.clock.moment = NOON + DAY
    sharing.meanwhile["one"] = lambda: seconds.append(seconds.pop() + 3600.0)
    one.look()

    assert one.runs() == [(RunCause.SCHEDULED, RunOutcome.INTERRUPTED)]


def test_who_stood_still_beyond_its_lease_writes_nothing_more() -> None:
    """Another server ran the job meanwhile; what that noted stays, and the first one says that its run was cut off."""
    sharing = Sharing()
    other = sharing.server("other")

    class Ended(MemoryLeaseTable):
        """The clock of the database goes on while that of its holder stands still."""

        def take(self, name: str, holder: str, ttl: timedelta) -> int | None:
            return sharing.leases.take(name, holder, timedelta())

    one = sharing.server("one", RenewedLeases(Ended(), "one", every=DAY, ticks=lambda: 0.0))
    sharing.clock.moment = NOON + DAY
    sharing.meanwhile["one"] = other.look
    one.look()
    after = sharing.table.records()
    one.look()

    assert sharing.began == ["one", "other"]
    assert one.runs() == [(RunCause.SCHEDULED, RunOutcome.INTERRUPTED), (RunCause.CONTINUED, RunOutcome.DONE)]
    assert one.told[-1] == ("prune", RunOutcome.INTERRUPTED, False)
    assert sharing.table.records() == after


@pytest.mark.parametrize("is_overtaken", [False, True])
def test_what_could_not_be_written_is_written_unless_another_server_went_on(is_overtaken: bool) -> None:
    """The end of a run, when the table is there again."""
    sharing = Sharing()

    class Away(MemoryJobTable):
        is_away = False

        def end(self, run: Run, *, fence: int | None = None) -> None:
            if self.is_away:
                raise BackendUnavailable("catalog")
            super().end(run, fence=fence)

    sharing.table = table = Away(sharing.leases)
    one, other = sharing.server("one"), sharing.server("other")
    sharing.clock.moment = NOON + DAY
    table.is_away = True
    one.look()
    table.is_away = False
    if is_overtaken:
        other.look()
    one.look()

    cut_off = [(RunCause.SCHEDULED, RunOutcome.INTERRUPTED), (RunCause.CONTINUED, RunOutcome.DONE)]
    assert one.runs() == (cut_off if is_overtaken else [(RunCause.SCHEDULED, RunOutcome.DONE)])
    assert sharing.began == ["one", "other"][: 1 + is_overtaken]


def test_what_somebody_asked_for_is_run_by_whoever_gets_to_it() -> None:
    """Once, at whichever server it was asked for."""
    sharing = Sharing()
    one, other = sharing.server("one"), sharing.server("other")
    one.ask()
    sharing.meanwhile["other"] = lambda: one.look(asked_only=True)
    other.look()
    one.look(asked_only=True)

    assert sharing.began == ["other"]
    assert one.runs() == [(RunCause.BY_HAND, RunOutcome.DONE)]
