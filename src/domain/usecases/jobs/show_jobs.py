"""Showing jobs and their runs, and asking for one."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from ...errors.jobs import JobNotFound
from ...jobs.due import next_at
from ...jobs.job import Job, Timing
from ...jobs.run import Run, RunCause
from ...ports.system import Clock
from ...ports.upkeep.jobs import JobTable


@frozen
class ShownJob:
    """
    A job, when it begins next by its schedule (None if never), and its last run, if there was one; *lacks* is as in
    `Job`.
    """

    name: str
    timing: Timing
    next_at: datetime | None
    last: Run | None
    lacks: str = ""


def _named(name: str, jobs: tuple[Job, ...]) -> Job:
    for job in jobs:
        if job.name == name:
            return job
    raise JobNotFound(name, tuple(job.name for job in jobs))


@frozen
class ListJobs:
    """Show every job."""

    jobs: tuple[Job, ...]
    table: JobTable
    clock: Clock

    def __call__(self) -> tuple[ShownJob, ...]:
        """Every job, in the order in which they run if several are due."""
        records, now = self.table.records(), self.clock.now()
        return tuple(
            ShownJob(
                job.name, job.timing, next_at(job, record, now), None if record is None else record.last, job.lacks()
            )
            for job, record in ((job, records.get(job.name)) for job in self.jobs)
        )


@frozen
class ListRuns:
    """Show the runs of a job."""

    jobs: tuple[Job, ...]
    table: JobTable

    def __call__(self, name: str, *, before: int | None = None, limit: int = 20) -> list[Run]:
        """
        At most *limit* runs of the job, the newest first, only those with a number below *before*.

        Raises:
            JobNotFound: there is no such job.
        """
        return self.table.runs(_named(name, self.jobs).name, before=before, limit=limit)


@frozen
class AskForRun:
    """Ask for a run of a job, which then begins as soon as no other job runs."""

    jobs: tuple[Job, ...]
    table: JobTable
    clock: Clock

    def __call__(self, name: str, who: str | None) -> Run:
        """
        Enter the run; `RunDueJobs` carries it out.

        Raises:
            JobNotFound: there is no such job.
            JobRunning: its last run has not ended.
        """
        return self.table.begin(_named(name, self.jobs).name, RunCause.BY_HAND, self.clock.now(), who=who)
