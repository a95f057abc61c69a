"""
Calling an address while the jobs keep time, so that their silence is noticed elsewhere.

The rule: it is called only if the watch has ended a look lately, so a server whose jobs stand still is as silent as one
that is down.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from attrs import define, field

from ...errors.notices import NotDelivered
from ...jobs.run import RunOutcome
from ...ports.system import Clock
from ...ports.upkeep.jobs import JobTable

EVERY = timedelta(minutes=1)
LATE = timedelta(minutes=5)


@define(eq=False)
class Beat:
    """Call *call*, once a minute at most, if the job *watch* keeps time."""

    call: Callable[[], None]
    jobs: JobTable
    clock: Clock
    watch: str
    _called_at: datetime | None = field(default=None, init=False)

    def __call__(self) -> str:
        """Why the address could not be called; empty if it was, or was not due."""
        now = self.clock.now()
        if self._called_at is not None and timedelta() <= now - self._called_at < EVERY:
            return ""
        if not self._keeps_time(now):
            return ""
        self._called_at = now
        try:
            self.call()
        except NotDelivered as error:
            return f"heartbeat_url was not reached: {error}"
        return ""

    def _keeps_time(self, now: datetime) -> bool:
        good = (RunOutcome.DONE, RunOutcome.NOTHING)
        ended = next((run.ended_at for run in self.jobs.runs(self.watch, limit=3) if run.outcome in good), None)
        return ended is not None and now - ended < LATE
