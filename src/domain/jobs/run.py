"""One run of a job: why it began, and what it came to."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from attrs import evolve, frozen

from .job import JobReport, Remark


class RunCause(Enum):
    """Why a run began."""

    SCHEDULED = "scheduled"
    MISSED = "missed"  # its time came while no server ran; one run makes up for all such times
    CONTINUED = "continued"  # the run before was interrupted
    BY_HAND = "by-hand"


class RunOutcome(Enum):
    """What a run came to."""

    RUNNING = "running"
    DONE = "done"
    NOTHING = "nothing"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@frozen
class Run:
    """
    The run *number* of *job*, counted from 1. *who* asked for it, if it was by hand: as in the audit log.

    A run that ended with the server, in a crash, is interrupted and has no *ended_at*. *tries* counts a run and those
    before it that it continues. *error* says why it failed, and may name archives.
    """

    job: str
    number: int
    cause: RunCause
    started_at: datetime
    outcome: RunOutcome = RunOutcome.RUNNING
    ended_at: datetime | None = None
    report: JobReport | None = None
    error: str = ""
    who: str | None = None
    tries: int = 1

    def ended(self, report: JobReport, at: datetime) -> Run:
        """The run as it ended with *report*: it failed only if it did nothing and something failed."""
        if report.is_stopped:
            outcome = RunOutcome.INTERRUPTED
        elif report.did_something:
            outcome = RunOutcome.DONE
        else:
            outcome = RunOutcome.FAILED if report.problems else RunOutcome.NOTHING
        error = _all(report.problems) if outcome is RunOutcome.FAILED else ""
        return evolve(self, outcome=outcome, ended_at=at, report=report, error=error)

    def failed(self, error: str, at: datetime) -> Run:
        """The run as it ended with *error*."""
        return evolve(self, outcome=RunOutcome.FAILED, ended_at=at, error=error)

    def cut_off(self) -> Run:
        """The run as a crash of the server left it."""
        return evolve(self, outcome=RunOutcome.INTERRUPTED)


def _all(problems: tuple[Remark, ...]) -> str:
    return "; ".join(problem.text for problem in problems)
