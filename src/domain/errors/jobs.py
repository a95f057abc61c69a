"""Jobs of the server."""

from __future__ import annotations

from attrs import define

from ..tarkeep_error import TarkeepError


@define
class JobNotFound(TarkeepError):
    """The server has no such job. *jobs* are those it has."""

    job: str
    jobs: tuple[str, ...]

    def __str__(self) -> str:
        return f"there is no job {self.job}; the jobs are {', '.join(self.jobs)}"


@define
class JobRunning(TarkeepError):
    """The job cannot be started: its run *number* has not ended."""

    job: str
    number: int

    def __str__(self) -> str:
        return f"the job {self.job} is running already: its run {self.number} has not ended"


@define
class JobOvertaken(TarkeepError):
    """Another server runs the job now: this one stood still for longer than its lease."""

    job: str

    def __str__(self) -> str:
        return f"the job {self.job} was taken over by another server"
