"""Reading on which days archives came."""

from __future__ import annotations

from datetime import UTC, timedelta

from attrs import frozen

from ...ports.system import Clock
from ...ports.upkeep.arrivals import ArrivalTable
from ...watching.calendar import CalendarDay, calendar


@frozen
class ReadCalendar:
    """Read what came to a profile on each of the last days, whether it is still there or was pruned."""

    arrived: ArrivalTable
    clock: Clock

    def __call__(self, profile: str, days: int) -> tuple[CalendarDay, ...]:
        """
        The last *days* up to today in UTC, the oldest first. A profile that does not exist had nothing.

        Raises:
            BackendUnavailable: the catalog cannot be read.
        """
        today = self.clock.now().astimezone(UTC).date()
        first = today - timedelta(days=days - 1)
        return calendar(first, today, self.arrived.days(first, today, profile=profile))
