"""Reading on which days archives came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import UTC, timedelta

from attrs import frozen

from ...archives.archive import ArchiveState
from ...ports.catalog import Catalog
from ...ports.system import Clock
from ...ports.upkeep.arrivals import ArrivalTable
from ...profiles.rules import Rules
from ...watching.arrived import day_of
from ...watching.calendar import CalendarDay, calendar, traced
from ...watching.pictures.missing_days import missing_days
from ...watching.pictures.strip import Strip, strip_of
from ..restoring.load_points import LoadPoints


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


@frozen
class ReadStrips:
    """Read on which of the last days something came to each of several profiles, as strips of a page show it."""

    arrived: ArrivalTable
    clock: Clock

    def __call__(self, profiles: Collection[str], days: int) -> dict[str, Strip]:
        """
        The strip of each of *profiles*, over the last *days* up to today in UTC.

        Cost: one query; some microseconds for each day on which something came.

        Raises:
            BackendUnavailable: the catalog cannot be read.
        """
        today = self.clock.now().astimezone(UTC).date()
        first = today - timedelta(days=days - 1)
        shown = [first + timedelta(days=number) for number in range(days)]
        came = self.arrived.came_to(profiles, first, today)
        return {profile: strip_of(tuple(map(came.get(profile, {}).get, shown))) for profile in profiles}


@frozen
class ReadYear:
    """Read what came to a profile on each day of a year, how much of it is still there, and what was due in vain."""

    read_calendar: ReadCalendar
    load_points: LoadPoints
    catalog: Catalog
    rules: Rules
    clock: Clock

    def __call__(self, profile: str) -> tuple[CalendarDay, ...]:
        """
        The last 365 days up to today in UTC, the oldest first.

        Raises:
            ProfileNotFound: no archive of *profile* is stored.
        """
        days = self.read_calendar(profile, _YEAR)
        stored = [place.archive.received_at for place in self.load_points(profile).places()]
        entries = self.catalog.entries(profile)
        removed = [archive.received_at for archive in entries if archive.state is ArchiveState.TRASHED]
        first = days[0].day
        receipts = [at for at in (*stored, *removed) if day_of(at) >= first]
        came = {day.day for day in days if day.total}
        expectation = self.rules.of(profile).expectation
        missing = missing_days(expectation, receipts, came, self.clock.now())
        return traced(days, Counter(map(day_of, stored)), missing)


_YEAR = 365
