"""Asking for archives to be read again now, whenever they were read last."""

from __future__ import annotations

from attrs import frozen

from ...errors.archives import ProfileNotFound
from ...errors.jobs import JobRunning
from ...jobs.run import Run
from ...ports.upkeep.scrubs import ScrubTable
from .show_jobs import AskForRun, ListRuns

SCRUB = "scrub"
"""The name of the job."""


@frozen
class AskForScrub:
    """Have every archive, or every one of a profile, read by the next run of the scrub, or by one that is running."""

    table: ScrubTable
    ask_for_run: AskForRun
    list_runs: ListRuns

    def __call__(self, profile: str | None = None, who: str | None = None) -> Run:
        """
        Note that the archives are wanted, also of what is known to be damaged, and ask for a run. Returns the run that
        reads them.

        Raises:
            ProfileNotFound: *profile* has no archive.
        """
        wanted = self.table.want(profile)
        if profile is not None and not wanted:
            raise ProfileNotFound(profile)
        try:
            return self.ask_for_run(SCRUB, who)
        except JobRunning:  # it reads first what is wanted
            return self.list_runs(SCRUB, limit=1)[0]
