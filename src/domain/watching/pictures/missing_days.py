"""
The days on which an archive was due that never came.

The rule: a day counts only if nothing came on it at all; and what was learnt of a time is said of that time alone, so
that somebody who backed up weekly in spring, and nightly since, misses nothing in spring. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, time
from itertools import islice, pairwise

from ...profiles.expectation import Cadence, Expectation
from ..arrived import day_of
from ..learning import NEWEST, learnt
from ..slots import slots

_NOON = time(12)
_MOST_SLOTS = 10_000
"""So many are looked at between two archives."""


def missing_days(
    expectation: Expectation | None, receipts: Collection[datetime], came: Collection[date], now: datetime
) -> frozenset[date]:
    """
    The days in UTC on which something was due until *now*, and neither it nor anything else came.

    *receipts* are those of archives of which the moment is known, *came* all days on which something did: where only
    the day is known it counts as noon. Without an *expectation* it is learnt, for every `NEWEST` of them anew.
    """
    known = {day_of(at) for at in receipts}
    moments = sorted([*receipts, *(datetime.combine(day, _NOON, UTC) for day in came if day not in known)])
    found: set[date] = set()
    size = NEWEST if expectation is None else max(len(moments), 1)
    for start, stop in _parts(len(moments), size):
        some = moments[start:stop]
        due = expectation if expectation is not None else learnt(some)
        for cadence in () if due is None else due.cadences:
            assert due is not None
            found.update(_missed(cadence, due, some, moments[stop] if stop < len(moments) else None, now))
    return frozenset(found.difference(came))


def _parts(number: int, size: int) -> Iterator[tuple[int, int]]:
    """The places of a *number* of things in parts of a *size*, counted from the last one."""
    for stop in range(number, 0, -size):
        yield max(0, stop - size), stop


def _missed(
    cadence: Cadence, expectation: Expectation, some: Sequence[datetime], behind: datetime | None, now: datetime
) -> Iterator[date]:
    for last, following in pairwise([*some, behind]):
        assert last is not None
        before: date | None = None
        for slot in islice(slots(cadence, expectation, last, last), _MOST_SLOTS):
            if slot.counts_from > following if following is not None else slot.deadline > now:
                break
            if following is None:
                yield day_of(slot.due_at)
            elif before is not None:  # the last of these is the one that the following archive fills
                yield before
            before = day_of(slot.due_at)
