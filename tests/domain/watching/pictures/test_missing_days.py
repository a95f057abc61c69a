"""Days on which something was due in vain: told only of days on which nothing came."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.profiles.expectation import NOTHING, Cadence, Expectation
from tarkeep.domain.profiles.schedule import EverySo
from tarkeep.domain.profiles.span import Span
from tarkeep.domain.watching.pictures.missing_days import missing_days

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = datetime(2026, 11, 2, 2, tzinfo=UTC)
NIGHTLY = Expectation((Cadence(None, EverySo(DAY)),), grace=6 * HOUR)


def nights(*numbers: int) -> list[datetime]:
    return [FIRST + number * DAY for number in numbers]


def days(*numbers: int) -> set[date]:
    return {(FIRST + number * DAY).date() for number in numbers}


def told(expectation: Expectation | None, receipts: list[datetime], now: datetime) -> frozenset[date]:
    return missing_days(expectation, receipts, {at.date() for at in receipts}, now)


def test_nights_that_were_left_out_are_missing() -> None:
    assert told(NIGHTLY, nights(0, 1, 4, 5), FIRST + 5 * DAY + HOUR) == days(2, 3)


def test_the_last_night_is_missing_once_its_grace_is_over() -> None:
    assert told(NIGHTLY, nights(0, 1), FIRST + DAY + 27 * HOUR) == days()
    assert told(NIGHTLY, nights(0, 1), FIRST + DAY + 28 * HOUR) == days(2)


def test_what_is_learnt_of_a_time_is_said_of_that_time_alone() -> None:
    """Weekly in spring, nightly since: nothing was missing in spring, and one night was in summer."""
    weekly = [FIRST + 7 * number * DAY for number in range(20)]
    nightly = [weekly[-1] + number * DAY for number in range(1, 22) if number != 10]

    assert told(None, weekly + nightly, nightly[-1] + HOUR) == {(weekly[-1] + 10 * DAY).date()}


def test_little_teaches_nothing_and_silence_is_right() -> None:
    assert told(None, nights(0, 1, 4), FIRST + 30 * DAY) == set()
    assert told(NOTHING, nights(0, 1, 4), FIRST + 30 * DAY) == set()
    assert told(NIGHTLY, [], FIRST) == set()


def test_a_day_without_a_known_moment_counts_as_noon() -> None:
    came = days(0, 1, 2, 4)

    assert missing_days(NIGHTLY, nights(0, 4), came, FIRST + 4 * DAY + HOUR) == days(3)


@given(
    st.lists(st.integers(0, 60 * 24), max_size=60),
    st.one_of(
        st.none(),
        st.builds(
            lambda every, grace: Expectation((Cadence(None, every),), grace),
            st.one_of(
                st.builds(EverySo, st.integers(1, 72).map(lambda hours: hours * HOUR)),
                st.integers(1, 72).map(lambda hours: Span.parse(f"{hours}h")),
            ),
            st.integers(0, 30).map(lambda hours: hours * HOUR),
        ),
    ),
)
def test_no_day_on_which_something_came_is_missing(hours: list[int], expectation: Expectation | None) -> None:
    receipts = [FIRST + hour * HOUR for hour in hours]
    now = FIRST + 70 * DAY

    missing = told(expectation, receipts, now)

    assert not missing & {at.date() for at in receipts}
    assert all(min(receipts).date() < day <= now.date() for day in missing)
