"""What is learnt from archives that came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tarkeep.domain.profiles.span import Span
from tarkeep.domain.watching.learning import FEWEST, NEWEST, learnt

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 11, 2, 2, tzinfo=UTC)


def nights(number: int, every: timedelta = DAY) -> list[datetime]:
    return [START + night * every for night in range(number)]


def test_few_arrivals_teach_nothing() -> None:
    assert learnt(nights(FEWEST - 1)) is None
    assert learnt(nights(FEWEST)) is not None


@pytest.mark.parametrize(("every", "stated"), [(HOUR, "1h"), (6 * HOUR, "6h"), (DAY, "24h"), (7 * DAY, "168h")])
def test_archives_come_as_often_as_so_far(every: timedelta, stated: str) -> None:
    found = learnt(nights(10, every))
    assert found is not None
    (cadence,) = found.cadences
    assert (cadence.type, cadence.every, found.is_learnt) == (None, Span.parse(stated), True)
    assert found.grace == max(every / 4, HOUR)


def test_archives_that_come_together_are_one() -> None:
    """A FULL and two INC of one night, ten minutes apart."""
    together = [at + minutes * timedelta(minutes=10) for at in nights(7) for minutes in range(3)]
    found = learnt(reversed(together))
    assert found is not None
    assert found.cadences[0].every == Span.parse("24h")


def test_what_was_irregular_gets_a_longer_grace() -> None:
    hours = [0, 20, 50, 72, 99, 118, 146, 168]
    found = learnt(START + hour * HOUR for hour in hours)
    assert found is not None
    assert found.grace is not None
    assert found.grace > 6 * HOUR


def test_only_the_newest_count() -> None:
    """A profile that changed from nightly to weekly archives is known to be weekly after a while."""
    before = nights(100)
    found = learnt([*before, *(before[-1] + week * 7 * DAY for week in range(1, NEWEST + 1))])
    assert found is not None
    assert found.cadences[0].every == Span.parse("168h")
