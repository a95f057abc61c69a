"""Spans of time as rules state them: ``36h``, ``14d``, ``8w``, ``6m`` (months) or ``2y``."""

from __future__ import annotations

import calendar
import re
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from enum import Enum

from attrs import field, frozen

from ..text.counted import counted

_SPAN = re.compile(r"(\d{1,6})([hdwmy])", re.ASCII)
_MONTHS_IN_YEAR = 12


class Unit(Enum):
    """What a span counts."""

    HOUR = "h"
    DAY = "d"
    WEEK = "w"
    MONTH = "m"
    YEAR = "y"


_FIXED = {Unit.HOUR: timedelta(hours=1), Unit.DAY: timedelta(days=1), Unit.WEEK: timedelta(weeks=1)}


@frozen
class Span:
    """
    So many hours, days, weeks, months or years.

    Hours, days and weeks always have the same length. Months and years follow the calendar in UTC; where a month has no
    such day, its last day counts.
    """

    count: int = field()
    unit: Unit

    @count.validator
    def _check(self, _attribute: object, count: int) -> None:
        if count < 0:
            raise ValueError(f"a span cannot be negative, got {count}")

    @classmethod
    def parse(cls, text: str) -> Span:
        """
        The span that *text* states.

        Raises:
            ValueError: it states none.
        """
        match = _SPAN.fullmatch(text)
        if match is None:
            raise ValueError(f"{text[:40]!r} is not a span of time such as 36h, 14d, 8w, 6m (months) or 2y")
        return cls(int(match[1]), Unit(match[2]))

    def before(self, moment: datetime) -> datetime:
        """The time that lies this span before *moment*, which is aware; the earliest possible one at most."""
        return _moved(moment, self, -1)

    def after(self, moment: datetime) -> datetime:
        """The time that lies this span after *moment*, which is aware; the latest possible one at most."""
        return _moved(moment, self, 1)

    @property
    def words(self) -> str:
        """The span in words, such as ``30 days``."""
        return counted(self.count, self.unit.name.lower())

    def __str__(self) -> str:
        return f"{self.count}{self.unit.value}"


def _moved(moment: datetime, span: Span, sign: int) -> datetime:
    moment = moment.astimezone(UTC)
    fixed = _FIXED.get(span.unit)
    if fixed is not None:
        try:
            return moment + sign * span.count * fixed
        except OverflowError:
            return _end(sign)
    months = span.count * (_MONTHS_IN_YEAR if span.unit is Unit.YEAR else 1)
    year, month = divmod(moment.year * _MONTHS_IN_YEAR + moment.month - 1 + sign * months, _MONTHS_IN_YEAR)
    if not MINYEAR <= year <= MAXYEAR:
        return _end(sign)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _end(sign: int) -> datetime:
    return (datetime.min if sign < 0 else datetime.max).replace(tzinfo=UTC)
