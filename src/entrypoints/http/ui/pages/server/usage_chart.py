"""
The picture of what is used: areas of each kind of archive on top of each other, and where that may lead.

Coordinates only; words, shapes and classes are the template's. Everything lies within the picture, whatever the values.
"""

from __future__ import annotations

from datetime import date, timedelta

from attrs import frozen

from ......domain.identity.archive_id import BackupType
from ......domain.text.sizes import human_size
from ......domain.usecases.watching.read_storage import StoreGrowth
from ......domain.watching.used import UsedOnDay

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 8, 12, 28
_MOST_COLUMNS = 120
_LEAST_AHEAD = 30
_FAR = 4
"""A disk with so many times the room that the picture needs is left out: all else would be a line at its foot."""

_TRASH = "trash"


@frozen
class ChartArea:
    """An area of *kind*, ``FULL``, ``INC``, ``DIFF`` or ``trash``, with the *points* of its outline."""

    kind: str
    points: str


@frozen
class ChartColumn:
    """A day, or some: where it stands, how wide it is, and what was used in *words*."""

    x: float
    width: float
    words: str


@frozen
class UsageChart:
    """
    *capacity_y* is where the disk is full, None if that is above the picture; *band* is the outline of where use may
    go, empty without a forecast. *marks* are heights with their sizes, *dates* are places with their days.
    """

    areas: tuple[ChartArea, ...]
    columns: tuple[ChartColumn, ...]
    capacity_y: float | None
    band: str
    marks: tuple[tuple[float, str], ...]
    dates: tuple[tuple[float, str], ...]


@frozen
class _Scale:
    first: date
    last: date
    most: float

    def x(self, day: date) -> float:
        share = (day - self.first).days / max((self.last - self.first).days, 1)
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * share, 1)

    def y(self, size: float) -> float:
        share = min(max(size / self.most, 0.0), 1.0)
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * share, 1)


def usage_chart(growth: StoreGrowth) -> UsageChart | None:
    """The picture of *growth*; None if only one day is known, which makes none."""
    days = growth.days[-1 :: -max(len(growth.days) // _MOST_COLUMNS, 1)][::-1]
    if len(days) < 2:
        return None
    first, last = days[0].day, days[-1].day
    expected = growth.expected
    ahead = 0 if expected is None else max((last - first).days // 2, _LEAST_AHEAD)
    top = max(max(one.total_bytes for one in days), 1)
    if expected is not None:
        top = max(top, int(expected.level_bytes + expected.fastest * ahead))
    capacity = growth.capacity_bytes or 0
    has_capacity = 0 < capacity <= _FAR * top
    most = max(capacity, max(one.total_bytes for one in days)) if has_capacity else top
    scale = _Scale(first, last + timedelta(days=ahead), most * 1.05)
    return UsageChart(
        tuple(_areas(days, scale)),
        tuple(_column(one, scale, (last - first).days / (len(days) - 1)) for one in days),
        scale.y(capacity) if has_capacity else None,
        _band(growth, ahead, scale),
        tuple((scale.y(most * share), human_size(round(most * share))) for share in (0.5, 1.0)),
        tuple((scale.x(day), day.isoformat()) for day in ((first, last) if not ahead else (first, last, scale.last))),
    )


def _areas(days: tuple[UsedOnDay, ...], scale: _Scale) -> list[ChartArea]:
    areas, below = [], [0] * len(days)
    for kind in (*BackupType, None):
        above = [
            low + (one.trash_bytes if kind is None else one.stored[kind]) for low, one in zip(below, days, strict=True)
        ]
        outline = [(scale.x(one.day), scale.y(size)) for one, size in zip(days, above, strict=True)]
        outline += [(scale.x(one.day), scale.y(size)) for one, size in zip(days[::-1], below[::-1], strict=True)]
        if above != below:
            areas.append(ChartArea(_TRASH if kind is None else kind.value, _points(outline)))
        below = above
    return areas


def _column(one: UsedOnDay, scale: _Scale, days_wide: float) -> ChartColumn:
    width = max((WIDTH - _LEFT - _RIGHT) * days_wide / max((scale.last - scale.first).days, 1), 1.0)
    each = [f"{kind.value} {human_size(size)}" for kind, size in one.stored.items() if size]
    each += [f"{_TRASH} {human_size(one.trash_bytes)}"] if one.trash_bytes else []
    words = f"{one.day.isoformat()}: {human_size(one.total_bytes)}" + (f" ({', '.join(each)})" if each else "")
    return ChartColumn(round(max(scale.x(one.day) - width / 2, 0), 1), round(width, 1), words)


def _band(growth: StoreGrowth, ahead: int, scale: _Scale) -> str:
    """From the newest value to what is used *ahead* days later, by the slowest and by the fastest growth."""
    expected = growth.expected
    if expected is None:
        return ""
    days = [expected.last + timedelta(days=ahead * step // 12) for step in range(13)]

    def line(per_day: float) -> list[tuple[float, float]]:
        used = growth.used.total_bytes
        return [(scale.x(day), scale.y(used + per_day * (day - expected.last).days)) for day in days]

    return _points(line(expected.fastest) + line(expected.slowest)[::-1])


def _points(outline: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in outline)
