"""
A job: work that a server does by itself at the times of its schedule, and what it says it did.

The rule: work that did nothing says so, and work that is asked to stop does so at the next point where nothing is left
half done. What it did not finish is done by the next run, so work must be repeatable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from attrs import field, frozen

from ..profiles.schedule import Schedule

MOST_REMARKS = 50
"""So many remarks of a kind are kept of a run."""

GoOn: TypeAlias = Callable[[], bool]
"""Whether work is to go on. Once it is false it stays false."""


@frozen
class Remark:
    """One thing that a person should know of a run; *profile* is the one it concerns, None for the whole server."""

    text: str
    profile: str | None = None


def _limited(remarks: tuple[Remark, ...]) -> tuple[Remark, ...]:
    if len(remarks) <= MOST_REMARKS:
        return remarks
    return (*remarks[: MOST_REMARKS - 1], Remark(f"and {len(remarks) - MOST_REMARKS + 1} more"))


@frozen
class JobReport:
    """
    What a run did: a sentence without names of profiles, and numbers.

    *waits* are things that a person must decide before they are done, *problems* are things that failed. *is_stopped*
    says that work is left because the run was asked to stop.
    """

    summary: str
    counts: Mapping[str, int]
    did_something: bool
    waits: tuple[Remark, ...] = field(default=(), converter=_limited)
    problems: tuple[Remark, ...] = field(default=(), converter=_limited)
    is_stopped: bool = False


class JobWork(Protocol):
    """The use case of a job."""

    def __call__(self, go_on: GoOn) -> JobReport:
        """
        Do what there is to do, while *go_on* says so; it is asked before each step.

        Raises:
            TarkeepError: nothing could be done.
        """


@frozen
class Timing:
    """When a job runs: *line* as an operator stated it, read in the time zone *zone*; without a *schedule* never."""

    line: str
    zone: str
    schedule: Schedule | None

    @property
    def stated(self) -> str:
        """All of it in words: if this changes, the times are others."""
        return self.line if self.schedule is None else f"{self.line} ({self.zone})"


OFF = Timing("off", "UTC", None)


@frozen
class Job:
    """
    A job of the server with the id *server*. One that *gives_way* may last for days: others run in between. Of one that
    *is_frequent* nobody is told that it began, or had nothing to do. *lacks* says why a run could do nothing as things
    are, and is empty if it could.
    """

    name: str
    work: JobWork
    timing: Timing = OFF
    server: str = ""
    gives_way: bool = False
    is_frequent: bool = False
    lacks: Callable[[], str] = str
