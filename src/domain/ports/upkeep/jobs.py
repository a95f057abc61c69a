"""What is kept of jobs from one run of the server to the next, and cron lines."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Protocol

from ...jobs.due import JobRecord
from ...jobs.run import Run, RunCause
from ...profiles.schedule import Schedule

KEPT_RUNS = 100
KEPT_DAYS = 400


class JobTable(Protocol):
    """
    Jobs and their runs. Each method is one transaction; when a writing one returns, its effect survives a power cut.

    Of each job the newest run is kept, and of the others those that are among the last 100 and began in the last 400
    days. Times are kept to the microsecond.

    Where several servers have one table, who runs a job gives the *fence* of its lease, ``job/NAME``. A writing method
    with a fence raises JobOvertaken, and writes nothing, if the lease was taken since.
    """

    def records(self) -> dict[str, JobRecord]:
        """What is known of each job that was noted or began, by its name."""

    def note(self, job: str, stated: str, covered_until: datetime, *, fence: int | None = None) -> None:
        """Note how the times of *job* are stated, and that those up to *covered_until* are covered."""

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
        """
        Enter a run that begins *now*, with the number after that of the last one, and note what it covers, as
        `jobs.due.covered_by` says. Older runs of the job are dropped as said above.

        Raises:
            JobRunning: the last run of the job has not ended.
        """

    def end(self, run: Run, *, fence: int | None = None) -> None:
        """Replace the run of that job and number by *run*; one that was dropped meanwhile stays dropped."""

    def runs(self, job: str, *, before: int | None = None, limit: int = 20) -> list[Run]:
        """At most *limit* runs of *job*, the newest first, only those with a number below *before*."""


class CronLines(Protocol):
    """Reads cron lines."""

    def read(self, line: str, zone: tzinfo) -> Schedule:
        """
        The times of *line*, of five fields (minute, hour, day of the month, month, day of the week), in *zone*.

        Where the clock of the zone is set ahead, a time that does not exist comes at the first one that does; where it
        is set back, a time that exists twice comes once, unless minutes or hours are stated with a star.

        Raises:
            ValueError: *line* is no cron line, or its times never come.
        """
