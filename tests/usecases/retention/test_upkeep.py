"""The jobs prune and purge: what they remove and say, and how they stop between two archives and go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from attrs import define, evolve, field

from tarkeep.adapters.memory.audit_log import MemoryAuditLog
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.domain.access.audit import AuditEntry
from tarkeep.domain.errors.capacity import BackendUnavailable, InsufficientStorage
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.jobs.job import JobReport, Remark
from tarkeep.domain.jobs.run import Run, RunCause, RunOutcome
from tarkeep.domain.ports.store import untold
from tarkeep.domain.profiles.retention_policy import Every, KeepRule, RetentionPolicy
from tarkeep.domain.profiles.rules import CurrentRules, ProfileRules, RuleBook
from tarkeep.domain.profiles.span import Span
from tarkeep.domain.usecases.retention.upkeep import EmptyTrash, PruneProfiles
from tarkeep.entrypoints.http.job_thread import JobThread
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.archives import make_targz
from tests.support.assembled import InMemory, offer
from tests.support.clocks import FixedClock

POLICY = RetentionPolicy(
    (KeepRule(Every.POINT, 1),),
    minimum_points=0,
    minimum_fulls=0,
    minimum_age=Span.parse("0d"),
    largest_share=1.0,
    trash_for=Span.parse("1d"),
)
RULES = RuleBook(
    (
        ("cautious", ProfileRules(retention=evolve(POLICY, largest_share=0.1))),
        ("unruled", ProfileRules()),
        ("*", ProfileRules(retention=POLICY)),
    )
)
CONTENT = make_targz({"a": b"a"})
WEEK = timedelta(weeks=1)


@define(eq=False)
class WatchedStore(MemoryArchiveStore):
    """A store that tells *each* before it moves or removes an archive."""

    each: Callable[[ArchiveId], None] = lambda _id: None

    def trash(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None] = untold) -> None:
        self.each(id)
        MemoryArchiveStore.trash(self, id, note, now, tell)

    def purge(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None] = untold) -> None:
        self.each(id)
        MemoryArchiveStore.purge(self, id, note, now, tell)


@define
class Upkeep:
    """A server in memory; each archive is a FULL."""

    clock: FixedClock = field(factory=FixedClock)
    rules: CurrentRules = field(factory=lambda: CurrentRules(RULES))
    store: WatchedStore = field(init=False)
    tarkeep: Tarkeep = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.store = WatchedStore(self.clock)
        self.tarkeep = InMemory(clock=self.clock, store=self.store, rules=self.rules).tarkeep

    def send(self, profile: str, count: int) -> None:
        for number in range(count):
            self.tarkeep.receive(offer(f"{number:03}.tar.gz", profile=profile), [CONTENT])
            self.clock.advance(timedelta(hours=1))

    def job(self, name: str) -> PruneProfiles | EmptyTrash:
        work = next(job.work for job in self.tarkeep.run_due_jobs.jobs if job.name == name)
        assert isinstance(work, PruneProfiles | EmptyTrash)
        return work

    def do(self, name: str, go_on: Callable[[], bool] = lambda: True) -> JobReport:
        return self.job(name)(go_on)

    def audited(self) -> int:
        """How many lines the audit log has; receiving here enters none."""
        return self.tarkeep.audit.check().lines

    def stored(self, profile: str) -> int:
        return sum(row.archives for row in self.tarkeep.summarise_profile.catalog.totals(profile))


@pytest.fixture
def upkeep() -> Upkeep:
    return Upkeep()


def test_every_profile_with_a_policy_is_pruned(upkeep: Upkeep) -> None:
    """Those that wait for a person are told, the others go on; a second run finds nothing."""
    for profile in ("cautious", "laptop", "unruled", "web"):
        upkeep.send(profile, 6)

    report = upkeep.do("prune")

    assert [upkeep.stored(profile) for profile in ("cautious", "laptop", "unruled", "web")] == [6, 1, 6, 1]
    assert report.summary == "10 archives of 3 profiles moved to the trash; 1 profile waits for a person"
    assert report.counts["removed"] == 10
    assert report.counts["paused"] == 1
    (wait,) = report.waits
    assert wait.profile == "cautious"
    assert "5 archives of 6 would go" in wait.text
    assert upkeep.audited() == 10
    again = upkeep.do("prune")
    assert (again.did_something, again.waits) == (False, report.waits)


def test_without_policies_pruning_does_nothing(upkeep: Upkeep) -> None:
    upkeep.send("unruled", 3)
    assert upkeep.do("prune").summary == "no profile has a retention policy"


def test_what_is_broken_is_noted_by_every_run(upkeep: Upkeep) -> None:
    """Also if there is nothing to remove: else it would never have been broken for long enough."""
    id = ArchiveId("laptop", BackupType.INC, "orphan.tar.gz")
    upkeep.tarkeep.receive(offer("orphan.tar.gz", profile="laptop", type=BackupType.INC), [CONTENT])

    assert not upkeep.do("prune").did_something

    assert upkeep.tarkeep.apply_prune.catalog.broken_since("laptop") == {id: upkeep.clock.now()}


def test_the_trash_is_emptied_of_what_is_over(upkeep: Upkeep) -> None:
    upkeep.send("laptop", 4)
    upkeep.do("prune")
    assert upkeep.do("purge").summary == "nothing was in the trash long enough"

    upkeep.clock.advance(WEEK)
    report = upkeep.do("purge")

    assert (report.summary, report.did_something) == ("3 archives removed for good", True)
    assert upkeep.audited() == 6
    upkeep.clock.advance(timedelta(days=30))
    upkeep.tarkeep.accept_clock()
    upkeep.clock.advance(timedelta(days=400))
    assert upkeep.do("purge").summary == "3 names forgotten"


def test_what_cannot_leave_the_trash_waits_for_a_person(upkeep: Upkeep) -> None:
    """That is no failure of the job, which removes the others."""
    upkeep.send("laptop", 3)
    upkeep.do("prune")
    upkeep.clock.advance(WEEK)
    id = ArchiveId("laptop", BackupType.FULL, "000.tar.gz")
    upkeep.store.in_trash[id].note = b"not a note"

    first, second = upkeep.do("purge"), upkeep.do("purge")

    remark = Remark(f"{id} stays in the trash: its note is missing or cannot be read", "laptop")
    assert (first.summary, first.waits, first.problems) == ("1 archive removed for good", (remark,), ())
    assert (second.did_something, second.waits) == (False, (remark,))


def test_a_trash_that_nothing_empties_any_more_is_told(upkeep: Upkeep) -> None:
    """Without a policy nothing is ever removed: once for all archives of the profile, when their time is over."""
    upkeep.send("laptop", 4)
    upkeep.do("prune")
    upkeep.rules.book = RuleBook()
    assert upkeep.do("purge").waits == ()

    upkeep.clock.advance(WEEK)
    report = upkeep.do("purge")

    text = "3 archives of laptop stay in the trash: the profile has no retention policy any more"
    assert (report.did_something, report.waits) == (False, (Remark(text, "laptop"),))


@pytest.mark.parametrize("job", ["prune", "purge"])
def test_in_doubt_of_the_clock_nothing_goes_and_that_is_said(upkeep: Upkeep, job: str) -> None:
    upkeep.send("laptop", 3)
    upkeep.tarkeep.watch_clock()
    upkeep.clock.jump(timedelta(days=9))

    report = upkeep.do(job)

    assert report.summary.startswith("nothing was removed: the clock jumped ahead by 9 d")
    assert [wait.profile for wait in report.waits] == [None]
    assert not report.did_something
    assert upkeep.stored("laptop") == 3


def test_what_fails_in_one_profile_keeps_no_other(upkeep: Upkeep) -> None:
    upkeep.send("laptop", 3)
    upkeep.send("web", 3)

    def fails(id: ArchiveId) -> None:
        if id.profile == "laptop":
            raise InsufficientStorage

    upkeep.store.each = fails
    report = upkeep.do("prune")

    assert (report.did_something, upkeep.stored("web")) == (True, 1)
    assert report.problems == (Remark(str(InsufficientStorage(doing="moving an archive to the trash")), "laptop"),)
    upkeep.store.each = lambda _id: None
    assert upkeep.do("prune").counts["removed"] == 2


def test_an_archive_that_cannot_be_purged_does_not_keep_the_others(upkeep: Upkeep) -> None:
    """It is told, and the next run takes it."""
    upkeep.send("laptop", 4)
    upkeep.do("prune")
    upkeep.clock.advance(WEEK)

    def fails(id: ArchiveId) -> None:
        if id.name == "000.tar.gz":
            raise BackendUnavailable("store", "the medium has a fault")

    upkeep.store.each = fails
    report = upkeep.do("purge")

    assert (report.summary, report.did_something) == ("2 archives removed for good", True)
    told = "laptop/FULL/000.tar.gz in the trash: the store is not available: the medium has a fault"
    assert report.problems == (Remark(told, "laptop"),)
    upkeep.store.each = lambda _id: None
    assert upkeep.do("purge").summary == "1 archive removed for good"


class ClosedLog(MemoryAuditLog):
    """An `AuditLog` that cannot be written."""

    def append(self, entry: AuditEntry) -> None:
        raise BackendUnavailable("audit log")


def test_what_is_not_in_the_audit_log_is_told(upkeep: Upkeep) -> None:
    """The archive is in the trash all the same."""
    upkeep.send("laptop", 2)

    report = evolve(upkeep.job("prune"), audit=ClosedLog())(lambda: True)

    assert report.counts["removed"] == 1
    assert [problem.text.partition(":")[0] for problem in report.problems] == [
        "laptop/FULL/000.tar.gz is not in the audit log"
    ]


# -- stopping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", ["prune", "purge"])
@pytest.mark.parametrize("allowed", [0, 1, 5])
def test_a_job_that_is_told_to_stop_takes_no_further_archive(upkeep: Upkeep, job: str, allowed: int) -> None:
    """What it did is said, and the next run does the rest."""
    upkeep.send("laptop", 9)
    if job == "purge":
        upkeep.do("prune")
        upkeep.clock.advance(WEEK)
    taken: list[ArchiveId] = []
    upkeep.store.each = taken.append

    report = upkeep.do(job, lambda: len(taken) < allowed)

    assert len(taken) == allowed
    assert report.is_stopped
    assert report.counts["removed" if job == "prune" else "purged"] == allowed
    rest = upkeep.do(job)
    assert (len(taken), rest.is_stopped) == (8, False)


def test_a_server_that_stops_interrupts_a_purge_and_the_next_one_goes_on(upkeep: Upkeep) -> None:
    """After the stop was asked for, not one archive more is removed than the one under way."""
    upkeep.send("laptop", 200)
    upkeep.do("prune")
    upkeep.clock.advance(WEEK)
    taken: list[ArchiveId] = []
    thread = JobThread(upkeep.tarkeep)
    reached = threading.Event()

    def each(id: ArchiveId) -> None:
        taken.append(id)
        if len(taken) == 3:
            thread.stop_soon()
            reached.set()

    upkeep.store.each = each
    upkeep.tarkeep.ask_for_run("purge", "host")
    thread.wake()
    assert reached.wait(60)
    thread.close()

    assert len(taken) == 3
    (run,) = upkeep.tarkeep.list_runs("purge")
    assert (run.outcome, run.report and run.report.counts["purged"]) == (RunOutcome.INTERRUPTED, 3)

    told: list[Run] = []
    # as a server with times for its jobs that is started: what was interrupted goes on before anything is due
    upkeep.tarkeep.ask_for_run("purge", "host")
    upkeep.tarkeep.run_due_jobs(lambda: True, lambda run, _error: told.append(run))
    assert [one.outcome for one in told] == [RunOutcome.RUNNING, RunOutcome.DONE]
    assert len(taken) == 199
    assert told[-1].cause is RunCause.BY_HAND


def test_a_thread_that_is_stopped_begins_nothing(upkeep: Upkeep) -> None:
    thread = JobThread(upkeep.tarkeep)
    thread.stop_soon()
    upkeep.tarkeep.ask_for_run("purge", None)

    thread.start()
    thread.wake()
    thread.close()

    assert upkeep.tarkeep.list_runs("purge")[0].outcome is RunOutcome.RUNNING


def test_damaged_bytes_that_were_replaced_stay_for_thirty_days(upkeep: Upkeep) -> None:
    """Whatever the policy of their profile; and not while the clock is in doubt."""
    upkeep.send("unruled", 1)
    (id,) = upkeep.store.archives
    upkeep.store.archives[id].content = CONTENT[:-1]
    upkeep.tarkeep.receive(offer("000.tar.gz", profile="unruled"), [CONTENT])
    assert upkeep.do("purge").summary == "nothing was in the trash long enough"

    upkeep.clock.advance(timedelta(days=30, seconds=1))
    report = upkeep.do("purge")

    assert (report.summary, report.counts["quarantine"]) == ("1 damaged copy dropped", 1)
    assert report.did_something
    assert upkeep.store.in_quarantine == []
