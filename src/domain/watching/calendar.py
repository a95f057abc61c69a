"""
What came on each day, as a calendar shows it.

The rule: each day between the first and the last is there once, whether something came on it or not; weeks begin on
Monday, as ISO 8601 has it. Days are those of UTC, so that no day is longer than another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from itertools import groupby
from typing import TypeAlias

from attrs import evolve, frozen

from ..identity.archive_id import BackupType
from ..text.counted import counted, listed
from .arrived import ArrivedOnDay

PRUNED = "pruned since"
_DAY = timedelta(days=1)
_TYPES = tuple(BackupType)


@frozen
class CalendarDay:
    """
    A day, and how many archives of each type came on it: of those that came, in the order of the types.

    *kept* is how many of them are still there, None if that was not asked; *fate* says what became of the others.
    *is_missing*: one was due, and none came.
    """

    day: date
    archives: tuple[tuple[BackupType, int], ...] = ()
    size_bytes: int = 0
    kept: int | None = None
    is_missing: bool = False
    fate: str = PRUNED

    @property
    def total(self) -> int:
        return sum(count for _, count in self.archives)

    @property
    def words(self) -> str:
        """The day in words, such as ``2026-11-23: 1 FULL and 2 INC, pruned since``."""
        came = listed([f"{count} {type.value}" for type, count in self.archives]) if self.archives else "nothing"
        if self.is_gone:
            came += f", {self.fate}"
        elif self.kept is not None and self.kept < self.total:
            came += f", {self.total - self.kept} {self.fate}"
        elif self.is_missing:
            came += ", though one was due"
        return f"{self.day.isoformat()}: {came}"

    @property
    def is_gone(self) -> bool:
        """Whether all that came on the day was pruned since."""
        return self.kept == 0 and self.total > 0


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
        found = counts.get(day)
        if found is None:  # as on most days: a page may show a hundred profiles
            days.append(CalendarDay(day))
            continue
        came = tuple((type, found[type]) for type in _TYPES if found.get(type))
        days.append(CalendarDay(day, came, sizes[day]))
    return tuple(days)


def weeks(days: Iterable[CalendarDay]) -> tuple[Week, ...]:
    """*days*, which follow each other, by week."""
    found: list[list[CalendarDay | None]] = []
    for day in days:
        if not found or day.day.weekday() == 0:
            found.append([None] * 7)
        found[-1][day.day.weekday()] = day
    return tuple(tuple(week) for week in found)


def traced(
    days: Iterable[CalendarDay], kept: Mapping[date, int], missing: Collection[date] = (), fate: str = PRUNED
) -> tuple[CalendarDay, ...]:
    """*days* with how many of their archives are *kept*, the *fate* of others, and whether one is *missing* on them."""
    return tuple(
        evolve(
            day,
            kept=min(kept.get(day.day, 0), day.total),
            is_missing=not day.total and day.day in missing,
            fate=fate,
        )
        for day in days
    )


def months(days: Iterable[CalendarDay]) -> tuple[tuple[str, str], ...]:
    """
    *days* month by month, in words: each month as ``2026-11``, and what happened in it, a sentence without its end.
    """
    found = []
    for month, some in groupby(days, lambda day: f"{day.day:%Y-%m}"):
        of_month = tuple(some)
        text = summary(of_month)
        missing = [f"{day.day.day}" for day in of_month if day.is_missing]
        gone = [day for day in of_month if day.is_gone]
        if missing:
            text += f"; one was due and none came on the {listed(missing)}"
        if gone:
            text += f"; what came on {counted(len(gone), 'day')}: {gone[0].fate}"
        found.append((month, text))
    return tuple(found)


def summary(days: tuple[CalendarDay, ...]) -> str:
    """The calendar in a sentence without its full stop."""
    return came_on(sum(bool(day.archives) for day in days), len(days))


def came_on(came: int, days: int) -> str:
    """That on so many of *days* something *came*, a sentence without its full stop."""
    return f"archives came on {came} of {counted(days, 'day')}"
