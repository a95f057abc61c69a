"""When the disk is full: exact where growth is even, unmoved by odd days, and silent where too little is known."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.watching.forecast import LEAST_DAYS, LOOKS_BACK, Forecast, forecast

FIRST = date(2026, 11, 1)
GB = 1 << 30


def line(days: int, per_day: int, start: int = 0) -> dict[date, int]:
    return {FIRST + timedelta(days=number): start + per_day * number for number in range(days)}


@given(st.integers(LEAST_DAYS, 200), st.integers(1, 10**12), st.integers(0, 10**15), st.integers(1, 3000))
def test_a_straight_line_is_exact(days: int, per_day: int, start: int, left: int) -> None:
    used = line(days, per_day, start)

    found = forecast(used, used[max(used)] + left * per_day)

    full = max(used) + timedelta(days=left)
    assert found is not None
    assert (found.per_day, found.slowest, found.fastest) == (per_day, per_day, per_day)
    assert found.earliest is not None
    assert found.latest is not None
    assert abs((found.earliest - full).days) <= abs((found.latest - full).days) <= 1  # of floats, a day at most


@given(st.integers(20, 89), st.integers(1, 10**9), st.randoms(use_true_random=False))
def test_a_few_odd_days_do_not_move_it(days: int, per_day: int, draw: random.Random) -> None:
    """A fifth of all days: a restore onto the disk, a measurement that went wrong."""
    used = line(days, per_day)
    for day in draw.sample(sorted(used), days // 5):
        used[day] = draw.randrange(10**12)

    found = forecast(used, 10**13)

    assert found is not None
    assert found.per_day == pytest.approx(per_day)
    assert found.slowest <= per_day <= found.fastest


def test_nothing_is_said_of_less_than_two_weeks() -> None:
    assert forecast({}, GB) is None
    assert forecast(line(LEAST_DAYS - 1, GB), 100 * GB) is None
    assert forecast(line(LEAST_DAYS, GB), 100 * GB) is not None
    ends = line(60, GB)
    assert forecast({min(ends): 0, max(ends): GB}, 100 * GB) is None  # two values are no history


def test_only_the_last_days_count() -> None:
    """What grew quickly a year ago says nothing about next year."""
    quick, slow = line(200, 10 * GB), line(LOOKS_BACK, GB, 2000 * GB)
    used = quick | {day + timedelta(days=200): size for day, size in slow.items()}

    found = forecast(used, 10_000 * GB)

    assert found is not None
    assert found.per_day == GB


def test_uneven_growth_has_a_wide_band() -> None:
    """A FULL each month and little in between: nobody knows to the day."""
    used, size = {}, 0
    for number in range(90):
        size += 100 * GB if number % 30 == 0 else GB
        used[FIRST + timedelta(days=number)] = size

    found = forecast(used, 2000 * GB)

    assert found is not None
    assert found.slowest < found.fastest
    assert found.earliest is not None
    assert found.latest is None or found.latest > found.earliest + timedelta(days=30)


@given(st.lists(st.integers(0, 10**13), min_size=14, max_size=120), st.integers(0, 10**14))
def test_the_band_is_never_inside_out(sizes: list[int], capacity: int) -> None:
    used = {FIRST + timedelta(days=number): size for number, size in enumerate(sizes)}

    found = forecast(used, capacity)

    assert found is not None
    assert found.slowest <= found.per_day <= found.fastest
    assert found.earliest is None or found.latest is None or found.earliest <= found.latest
    assert found.earliest is not None or found.latest is None
    assert found.words


@pytest.mark.parametrize(
    ("earliest", "latest", "words"),
    [
        (date(2027, 3, 2), date(2027, 6, 1), "full between March and June 2027"),
        (date(2027, 12, 2), date(2028, 1, 1), "full between December 2027 and January 2028"),
        (date(2027, 3, 2), date(2027, 3, 30), "full in March 2027"),
        (date(2027, 3, 2), None, "full in March 2027 at the earliest"),
        (FIRST, FIRST, "full now"),
        (None, None, "not full within ten years, if it goes on like this"),
    ],
)
def test_it_is_told_in_words(earliest: date | None, latest: date | None, words: str) -> None:
    assert Forecast(1.0, 1.0, 1.0, 0.0, FIRST, earliest, latest).words == words


def test_what_shrinks_is_never_full() -> None:
    found = forecast(line(30, -GB, 100 * GB), 200 * GB)

    assert found is not None
    assert (found.earliest, found.latest) == (None, None)


@given(st.integers(LEAST_DAYS, 89), st.integers(1, 10**9), st.integers(0, 60))
def test_soon_is_within_30_days_of_the_newest_day(days: int, per_day: int, left: int) -> None:
    used = line(days, per_day)
    found = forecast(used, used[max(used)] + left * per_day)
    assert found is not None
    assert found.earliest is not None
    assert found.soon == (found.earliest if (found.earliest - max(used)).days <= 30 else None)
