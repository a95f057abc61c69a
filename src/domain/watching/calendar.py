"""
What came on each day, as a calendar shows it.

The rule: each day between the first and the last is there once, whether something came on it or not; weeks begin on
Monday, as ISO 8601 has it. Days are those of UTC, so that no day is longer than another.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import TypeAlias

from attrs import frozen

from ..identity.archive_id import BackupType
from ..text.counted import counted, listed
from .arrived import ArrivedOnDay

_DAY = timedelta(days=1)


@frozen
class CalendarDay:
    """A day, and how many archives of each type came on it: of those that came, in the order of the types."""

    day: date
    archives: tuple[tuple[BackupType, int], ...] = ()
    size_bytes: int = 0

    @property
    def total(self) -> int:
        return sum(count for _, count in self.archives)

    @property
    def words(self) -> str:
        """The day in words, such as ``2026-11-23: 1 FULL and 2 INC``."""
        came = [f"{count} {type.value}" for type, count in self.archives]
        return f"{self.day.isoformat()}: {listed(came) if came else 'nothing'}"


Week: TypeAlias = tuple[CalendarDay | None, ...]
"""Seven days from Monday on; None for those before the first day and after the last."""


def calendar(first: date, last: date, arrived: Iterable[ArrivedOnDay]) -> tuple[CalendarDay, ...]:
    """
    The days from *first* to *last*, both included, with what *arrived* on them; what did on others is left out.

    What came to several profiles is added up.
    """
    counts: dict[date, dict[BackupType, int]] = {}
    sizes: dict[date, int] = {}
    for one in arrived:
        of_day = counts.setdefault(one.day, {})
        of_day[one.type] = of_day.get(one.type, 0) + one.archives
        sizes[one.day] = sizes.get(one.day, 0) + one.size_bytes
    days = []
    for number in range((last - first).days + 1):
        day = first + number * _DAY
        found = counts.get(day, {})
        came = tuple((type, found[type]) for type in BackupType if found.get(type))
        days.append(CalendarDay(day, came, sizes.get(day, 0)))
    return tuple(days)


def weeks(days: Iterable[CalendarDay]) -> tuple[Week, ...]:
    """*days*, which follow each other, by week."""
    found: list[list[CalendarDay | None]] = []
    for day in days:
        if not found or day.day.weekday() == 0:
            found.append([None] * 7)
        found[-1][day.day.weekday()] = day
    return tuple(tuple(week) for week in found)


def summary(days: tuple[CalendarDay, ...]) -> str:
    """The calendar in a sentence without its full stop."""
    came = sum(bool(day.total) for day in days)
    return f"archives came on {came} of {counted(len(days), 'day')}"
