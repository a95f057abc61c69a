"""When archives are to come, learnt from those that came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from ..profiles.expectation import Cadence, Expectation, usual_grace
from ..profiles.span import Span, Unit

FEWEST = 6
"""So many arrivals show how often archives come."""

NEWEST = 20
"""So many arrivals are looked at."""

TOGETHER = timedelta(hours=1)
"""Archives that follow each other so closely came together, as one."""

_SPREADS = 3
_HOUR = timedelta(hours=1)


def learnt(receipts: Iterable[datetime]) -> Expectation | None:
    """
    What is to come after archives that restore were received at *receipts*, in any order; None if they are too few.

    They come as often as in the median, in whole hours. The grace covers what was usual: three times the median
    deviation from that, at least that of `usual_grace`.
    """
    arrivals = _apart(sorted(receipts))[-NEWEST:]
    if len(arrivals) < FEWEST:
        return None
    gaps = [later - earlier for earlier, later in pairwise(arrivals)]
    usual = _median(gaps)
    spread = _median([abs(gap - usual) for gap in gaps])
    hours = max(1, round(usual / _HOUR))
    every = Span(hours, Unit.HOUR)
    return Expectation((Cadence(None, every),), max(_SPREADS * spread, usual_grace(hours * _HOUR)), is_learnt=True)


def _median(some: Sequence[timedelta]) -> timedelta:
    return timedelta(seconds=median(one.total_seconds() for one in some))


def _apart(receipts: Sequence[datetime]) -> list[datetime]:
    """The last of those that came together."""
    found: list[datetime] = []
    for at in receipts:
        if found and at - found[-1] < TOGETHER:
            found[-1] = at
        else:
            found.append(at)
    return found
