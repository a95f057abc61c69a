"""
When the disk will be full, as far as that can be said.

The rule: growth is the median of the slopes between any two days of the last 90 (Theil and Sen), which a few odd days
do not move. The band has four fifths of the slopes between days that lie far apart: of a store that grows now and then,
these differ, and the band is wide. Where too little is known nothing is said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from statistics import median

from attrs import frozen

LOOKS_BACK = 90
"""Days."""

LEAST_DAYS = 14
"""With a shorter history nothing is forecast."""

FURTHEST = timedelta(days=3650)
"""What lies further ahead is as good as never."""

SOON = timedelta(days=30)
"""Whoever has to buy a disk should know so long before."""

_LOW, _HIGH = 0.1, 0.9
_MONTH_IN_WORDS = "%B %Y"


@frozen
class Forecast:
    """
    The store grows by *per_day* bytes, and with a chance of four fifths by *slowest* to *fastest*; from *level_bytes*
    on *last*, the day of the newest value. So it is full between *earliest* and *latest*; None: not within ten years.
    """

    per_day: float
    slowest: float
    fastest: float
    level_bytes: float
    last: date
    earliest: date | None
    latest: date | None

    @property
    def soon(self) -> date | None:
        """The day from which it may be full, if that is at most 30 days ahead."""
        return None if self.earliest is None or self.earliest - self.last > SOON else self.earliest

    @property
    def words(self) -> str:
        """When it is full, in words: a clause without a full stop."""
        if self.earliest is None:
            return "not full within ten years, if it goes on like this"
        if self.earliest <= self.last:
            return "full now"
        first = self.earliest.strftime(_MONTH_IN_WORDS)
        if self.latest is None:
            return f"full in {first} at the earliest"
        last = self.latest.strftime(_MONTH_IN_WORDS)
        if first == last:
            return f"full in {first}"
        if self.earliest.year == self.latest.year:
            first = self.earliest.strftime("%B")
        return f"full between {first} and {last}"


def forecast(used: Mapping[date, int], capacity_bytes: int) -> Forecast | None:
    """
    When what is *used*, bytes by day, reaches *capacity_bytes*; None if less than 14 days are known.

    Cost: grows with the square of the days, of which the last 90 count.
    """
    last = max(used, default=date.min)
    points = sorted(((day - last).days, size) for day, size in used.items() if (last - day).days < LOOKS_BACK)
    if not points or -points[0][0] < LEAST_DAYS - 1 or len(points) < LEAST_DAYS // 2:
        return None
    per_day = median(_slopes(points, 1))
    far = sorted(_slopes(points, max(-points[0][0] // 2, 1)))
    slowest, fastest = min(_quantile(far, _LOW), per_day), max(_quantile(far, _HIGH), per_day)
    level = median([size - per_day * at for at, size in points])
    left = capacity_bytes - level
    return Forecast(
        per_day, slowest, fastest, level, last, _reached(last, left, fastest), _reached(last, left, slowest)
    )


def _slopes(points: Sequence[tuple[int, int]], apart: int) -> list[float]:
    """The slopes between any two of *points* that lie at least *apart* days apart."""
    return [
        (size - before) / (at - earlier)
        for number, (at, size) in enumerate(points)
        for earlier, before in points[:number]
        if at - earlier >= apart
    ]


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which *share* of *ordered* lie, between its neighbours in proportion."""
    place = share * (len(ordered) - 1)
    low = ordered[int(place)]
    high = ordered[min(int(place) + 1, len(ordered) - 1)]
    return low + (high - low) * (place - int(place))


def _reached(last: date, left_bytes: float, per_day: float) -> date | None:
    """The day on which *left_bytes* are used up; None if that is too far ahead."""
    if left_bytes <= 0:
        return last
    if per_day <= 0 or left_bytes / per_day > FURTHEST.days:
        return None
    return last + timedelta(days=math.ceil(left_bytes / per_day))
