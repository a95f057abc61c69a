"""
Running jobs whose time has come, and those that somebody asked for, one after the other.

A run is entered before it begins, and its end when it has ended: a run that has no end when a server starts was cut off
by a crash. If the table cannot be written, as on a full disk, jobs run all the same, since one of them frees space.

Every job is asked often whether to go on. While one that gives way is asked, others that are due run; while any other
is, the frequent ones do: so no night of pruning keeps people from being told.

Of several servers with one table, one runs a job: it takes a lease on it, and looks again whether the job is still due.
Whoever gets the lease of a job that seems to be running knows that its server ended, or stands still. Such a one may go
on later: the table takes nothing from it any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TypeAlias

from attrs import define, evolve, field, frozen

from ...errors.jobs import JobOvertaken, JobRunning
from ...jobs.due import JobRecord, covered_by, due
from ...jobs.job import GoOn, Job
from ...jobs.run import Run, RunCause, RunOutcome
from ...ports.system import Clock
from ...ports.upkeep.jobs import JobTable
from ...ports.upkeep.leases import Leases, lease_of_job
from ...tarkeep_error import TarkeepError

Tell: TypeAlias = Callable[[Run, Exception | None], None]
"""Told of each run when it begins and when it has ended, with the error that ended it or kept it from being entered."""

LOOK_AGAIN = timedelta(seconds=5)
"""How often it is looked which jobs are due while another one runs."""


@frozen
class SettleRuns:
    """
    At start, before anything runs: what seems to be running was cut off by a crash.

    *is_alone*: no other server uses the table. Else others may run it; whoever gets its lease settles it.
    """

    table: JobTable
    is_alone: bool = True

    def __call__(self) -> tuple[Run, ...]:
        """Mark such runs as interrupted. Returns them."""
        if not self.is_alone:
            return ()
        cut_off = tuple(
            record.last.cut_off()
            for record in self.table.records().values()
            if record.last is not None and record.last.outcome is RunOutcome.RUNNING
        )
        for run in cut_off:
            self.table.end(run)
        return cut_off


@frozen
class _Turn:
    """The turn to run a job: what the table has of it, whether to go on, and the fence of its lease, if it has one."""

    found: JobRecord | None
    go_on: GoOn
    fence: int | None = None


def _went_on(unwritten: JobRecord, found: JobRecord | None) -> bool:
    """Whether another server has written of a job since this one could not write *unwritten*."""
    if found is None:
        return False
    if unwritten.last is not None and unwritten.last.number:
        last = found.last
        return last is None or last.number != unwritten.last.number or last.outcome is not RunOutcome.RUNNING
    return found.covered_until > unwritten.covered_until


@define(eq=False)
class RunDueJobs:
    """Run what is due now. For one thread. *leases* are those of servers with the same table; None if there is one."""

    jobs: tuple[Job, ...]
    table: JobTable
    clock: Clock
    leases: Leases | None = None
    _serving_since: datetime | None = field(default=None, init=False)
    _looked_at: set[str] = field(factory=set, init=False)
    _under_way: set[str] = field(factory=set, init=False)
    _unwritten: dict[str, JobRecord] = field(factory=dict, init=False)
    """What the table should have of a job and could not be told."""

    def __call__(self, go_on: GoOn, tell: Tell, *, asked_only: bool = False) -> None:
        """
        Run each job that is due, while *go_on* says so; with *asked_only* those that somebody asked for.

        Raises:
            BackendUnavailable: the table cannot be read.
        """
        self._serving_since = self._serving_since or self.clock.now()
        self._run(self.jobs, go_on, tell, asked_only)

    def _run(self, jobs: Sequence[Job], go_on: GoOn, tell: Tell, asked_only: bool) -> None:
        records = self.table.records()
        for job in jobs:
            if not go_on():
                return
            if job.name in self._under_way:
                continue
            found = records.get(job.name)
            known, is_start = self._known(job, found), job.name not in self._looked_at
            if not self._is_to_run(job, known, is_start, asked_only) and known is found:
                continue
            with self._alone(job, found, go_on) as turn:
                if turn is not None:
                    record = self._written(job, turn)
                    turn = evolve(turn, go_on=self._giving_way(job, turn.go_on, tell, asked_only))
                    self._run_one(job, record, turn, tell, is_start=is_start, asked_only=asked_only)

    def _is_to_run(self, job: Job, record: JobRecord, is_start: bool, asked_only: bool) -> bool:
        if record.last is not None and record.last.outcome is RunOutcome.RUNNING:
            return True
        if asked_only:
            return False
        self._looked_at.add(job.name)
        return self._due(job, record, is_start=is_start) is not None

    @contextmanager
    def _alone(self, job: Job, found: JobRecord | None, go_on: GoOn) -> Iterator[_Turn | None]:
        """The turn to run *job*, while no other server does; None if one does."""
        if self.leases is None:
            yield _Turn(found, go_on)
            return
        with self.leases.take(lease_of_job(job.name)) as lease:
            if lease is None:
                yield None
                return
            yield _Turn(self.table.records().get(job.name), lambda: go_on() and not lease.is_lost, lease.fence)

    def _run_one(
        self, job: Job, record: JobRecord, turn: _Turn, tell: Tell, *, is_start: bool, asked_only: bool
    ) -> None:
        last = record.last
        if last is not None and last.outcome is RunOutcome.RUNNING:
            if self.leases is None or last.cause is RunCause.BY_HAND:
                tell(last, None)
                self._work(job, record, last, turn, tell)
                return
            # nobody asked for it, and its server holds the lease no more
            record, is_start = evolve(record, last=last.cut_off()), True
            self._write(job, record, turn.fence)
        cause = None if asked_only else self._due(job, record, is_start=is_start)
        if cause is not None:
            self._begin(job, record, cause, turn, tell)

    def _giving_way(self, job: Job, go_on: GoOn, tell: Tell, asked_only: bool) -> GoOn:
        """*go_on*, for *job*; the frequent ones that are due run when it asks, and all of them if it gives way."""
        if job.is_frequent:
            return go_on
        others = self.jobs if job.gives_way else tuple(one for one in self.jobs if one.is_frequent)
        looked = self.clock.monotonic()

        def let_others_run() -> bool:
            nonlocal looked
            if go_on() and self.clock.monotonic() - looked >= LOOK_AGAIN:
                with suppress(TarkeepError):  # the table cannot be read: they run when it can
                    self._run(others, go_on, tell, asked_only)
                looked = self.clock.monotonic()
            return go_on()

        return let_others_run

    def _due(self, job: Job, record: JobRecord, *, is_start: bool) -> RunCause | None:
        now = self.clock.now()
        return due(job, record, now, self._serving_since or now, is_start=is_start)

    def _known(self, job: Job, found: JobRecord | None) -> JobRecord:
        """What is known of *job*; *found* itself if the table has all of it."""
        unwritten = self._unwritten.get(job.name)
        if unwritten is not None:
            return unwritten
        if found is None or found.stated != job.timing.stated:
            return JobRecord(job.timing.stated, self.clock.now(), None if found is None else found.last)
        return found

    def _written(self, job: Job, turn: _Turn) -> JobRecord:
        """The same, when the table has got what it lacks. What another server wrote since counts more."""
        unwritten = self._unwritten.get(job.name)
        if unwritten is not None and turn.fence is not None and _went_on(unwritten, turn.found):
            del self._unwritten[job.name]
        known = self._known(job, turn.found)
        self._unwritten.pop(job.name, None)
        if known is not turn.found:
            self._write(job, known, turn.fence)
        return known

    def _write(self, job: Job, record: JobRecord, fence: int | None) -> None:
        """Have the table agree with *record*, now or at the next call; not if another server took the job over."""
        try:
            self.table.note(job.name, record.stated, record.covered_until, fence=fence)
            if record.last is not None and record.last.number:
                self.table.end(record.last, fence=fence)
        except JobOvertaken:
            return
        except TarkeepError:
            self._unwritten[job.name] = record

    def _begin(self, job: Job, record: JobRecord, cause: RunCause, turn: _Turn, tell: Tell) -> None:
        now, last = self.clock.now(), record.last
        tries = last.tries + 1 if cause is RunCause.CONTINUED and last is not None else 1
        try:
            run = self.table.begin(job.name, cause, now, tries=tries, fence=turn.fence)
        except (
            JobRunning,
            JobOvertaken,
        ):  # asked for a moment ago: the next call runs it, or another server
            return
        except TarkeepError as error:
            run = Run(job.name, 0, cause, now, tries=tries)
            tell(run, error)
        else:
            if not job.is_frequent:
                tell(run, None)
        self._work(job, record, run, turn, tell)

    def _work(self, job: Job, record: JobRecord, run: Run, turn: _Turn, tell: Tell) -> None:
        self._under_way.add(job.name)
        try:
            ended, bug = self._worked(job, run, turn.go_on)
        finally:
            self._under_way.discard(job.name)
        known = JobRecord(record.stated, covered_by(record.covered_until, run.started_at), ended)
        if ended.number:
            try:
                self.table.end(ended, fence=turn.fence)
            except JobOvertaken:
                tell(run.cut_off(), bug)  # as the other server noted
                return
            except TarkeepError:
                self._unwritten[job.name] = known
        else:
            self._write(job, known, turn.fence)
        if ended.outcome is not RunOutcome.NOTHING or not job.is_frequent:
            tell(ended, bug)

    def _worked(self, job: Job, run: Run, go_on: GoOn) -> tuple[Run, Exception | None]:
        try:
            report = job.work(go_on)
        except TarkeepError as error:
            return run.failed(str(error), self.clock.now()), None
        except Exception as bug:  # whatever goes wrong in one run, others follow
            return run.failed("the server failed; its log has the details", self.clock.now()), bug
        return run.ended(report, self.clock.now()), None
