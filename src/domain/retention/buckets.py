"""
Sorting points into buckets of time, and choosing those that a rule keeps.

All rules see the same points, newest first. A bucket is a whole hour, day, week, month, quarter or year on the calendar
of the profile's time zone; only buckets that have a point count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, tzinfo
from itertools import islice
from operator import attrgetter, gt
from typing import TypeAlias

from attrs import frozen

from ..archives.archive import BackupArchive
from ..profiles.retention_policy import Every, KeepRule
from ..profiles.span import Span
from ..text.times import in_zone
from .candidates import Candidate

_HOURS_IN_DAY = 24
_DAYS_IN_WEEK = 7
_MONTHS_IN_YEAR = 12
_MONTHS_IN_QUARTER = 3
LONGEST_DAYS: Mapping[Every, int] = {
    Every.HOUR: 1,
    Every.DAY: 1,
    Every.WEEK: 7,
    Every.MONTH: 31,
    Every.QUARTER: 92,
    Every.YEAR: 366,
}
"""How many days a bucket has at most."""


@frozen
class Timeline:
    """*points*, newest first by the times *at*, aware, that decide their buckets; *local*: in the profile's zone."""

    points: Sequence[Candidate]
    at: Sequence[datetime]
    local: Sequence[datetime]


@frozen
class Chosen:
    """
    A point that a rule keeps, and the *bucket* it stands for, in words such as ``daily 2026-11-02``.

    Rules that have no buckets say which of theirs it is (``point 2 of keep_last = 10``), or what they are.
    """

    point: Candidate
    bucket: str


def by_receipt(points: Sequence[Candidate]) -> Timeline:
    """*points*, in the order of their receipt, by the time of it."""
    newest = points[::-1]
    return Timeline(newest, [one.archive.received_at for one in newest], [one.local for one in newest])


def by_claim(points: Sequence[Candidate], zone: tzinfo) -> Timeline:
    """
    *points* by the times that their senders claim for the dumps; none is later than its receipt.

    Equal times are in a fixed order.
    """
    newest = points[::-1]
    at = [_claimed(one.archive) for one in newest]
    if not all(map(gt, at, islice(at, 1, None))):
        newest = sorted(points, key=lambda one: (_claimed(one.archive), one.archive.id), reverse=True)
        at = [_claimed(one.archive) for one in newest]
    return Timeline(newest, at, [in_zone(moment, zone) for moment in at])


def _claimed(archive: BackupArchive) -> datetime:
    return archive.taken_at if archive.taken_at < archive.received_at else archive.received_at


def chosen(rule: KeepRule, line: Timeline, base: datetime, *, prefers_base: bool) -> dict[int, Chosen]:
    """
    The points of *line* that *rule* keeps, by the number of their bucket (see `bucket_numbers`).

    Spans are counted back from *base*. With *prefers_base* a bucket keeps its newest point that builds on nothing, if
    it has one. A suspicious point is kept only where a bucket has no other.

    Cost: O(n).
    """
    if rule.every is Every.POINT:
        return _last(rule, line, base)
    start = rule.limit.before(base) if isinstance(rule.limit, Span) else None
    most = rule.limit if isinstance(rule.limit, int) else len(line.points)
    number_of, current, flaws = bucket_numbers(rule.every), None, 0
    found: dict[int, tuple[Candidate, datetime]] = {}
    for point, at, local in zip(line.points, line.at, line.local, strict=True):
        number = number_of(local)
        if number != current:
            if (start is not None and at <= start) or len(found) >= most:
                break
            current, flaws = number, 0
            if number not in found:  # else the clock was set back over midnight: the bucket has its point
                found[number], flaws = (point, local), _flaws(point, prefers_base=prefers_base)
        elif flaws and (fewer := _flaws(point, prefers_base=prefers_base)) < flaws:
            found[number], flaws = (point, local), fewer
    return {number: Chosen(point, label(rule.every, local)) for number, (point, local) in found.items()}


def _flaws(point: Candidate, *, prefers_base: bool) -> int:
    """0 for what a bucket wants most."""
    return 2 * point.is_suspicious + (prefers_base and not point.is_base)


def _last(rule: KeepRule, line: Timeline, base: datetime) -> dict[int, Chosen]:
    has_trusted = not all(one.is_suspicious for one in line.points)
    dated = (
        (point, at) for point, at in zip(line.points, line.at, strict=True) if not (point.is_suspicious and has_trusted)
    )
    if isinstance(rule.limit, Span):
        start = rule.limit.before(base)
        within = [point for point, at in dated if at > start]
        return {number: Chosen(point, f"keep_within = {rule.limit}") for number, point in enumerate(within)}
    last = islice(dated, rule.limit)
    most = "all" if rule.limit is None else rule.limit
    return {
        number: Chosen(point, f"point {number + 1} of keep_last = {most}") for number, (point, _) in enumerate(last)
    }


Numbers: TypeAlias = Callable[[datetime], int]
"""Gives the number of the bucket in which a local time lies; later buckets have higher numbers."""


def _hour(local: datetime) -> int:
    return (local.toordinal() * _HOURS_IN_DAY + local.hour) * 2 + local.fold  # twice when clocks are set back


def _week(local: datetime) -> int:
    return (local.toordinal() - 1) // _DAYS_IN_WEEK  # the first day of the calendar is a Monday


def _month(local: datetime) -> int:
    return local.year * _MONTHS_IN_YEAR + local.month - 1


def _quarter(local: datetime) -> int:
    return _month(local) // _MONTHS_IN_QUARTER


_NUMBERS: Mapping[Every, Numbers] = {
    Every.HOUR: _hour,
    Every.DAY: datetime.toordinal,
    Every.WEEK: _week,
    Every.MONTH: _month,
    Every.QUARTER: _quarter,
    Every.YEAR: attrgetter("year"),
}


def bucket_numbers(every: Every) -> Numbers:
    """What numbers the buckets of *every*, which is not `Every.POINT`."""
    return _NUMBERS[every]


def label(every: Every, local: date) -> str:
    """The bucket of *every* in which *local* lies, in words: ``weekly 2026-W45``."""
    match every:
        case Every.HOUR:
            text = f"{local:%Y-%m-%dT%H}"
        case Every.WEEK:
            year, week, _ = local.isocalendar()
            text = "-".join((f"{year:04}", f"W{week:02}"))
        case Every.MONTH:
            text = f"{local:%Y-%m}"
        case Every.QUARTER:
            text = "-".join((f"{local.year:04}", f"Q{(local.month - 1) // _MONTHS_IN_QUARTER + 1}"))
        case Every.YEAR:
            text = f"{local.year:04}"
        case _:
            text = f"{local:%Y-%m-%d}"
    return f"{every.value} {text}"
