"""Each day is in a calendar once, and everything that came on one of them is counted there."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.watching.arrived import ArrivedOnDay
from tarkeep.domain.watching.calendar import CalendarDay, calendar, months, summary, traced, weeks

DAYS = st.dates(date(2025, 12, 20), date(2027, 1, 20))
ARRIVED = st.lists(
    st.builds(
        ArrivedOnDay,
        profile=st.sampled_from(["laptop", "web-1"]),
        day=DAYS,
        type=st.sampled_from(BackupType),
        archives=st.integers(1, 5),
        size_bytes=st.integers(0, 1 << 40),
    )
)
NOV = date(2026, 11, 1)


@given(DAYS, st.integers(0, 400), ARRIVED)
def test_each_day_is_there_once_with_all_that_came(first: date, length: int, arrived: list[ArrivedOnDay]) -> None:
    last = first + timedelta(days=length)

    days = calendar(first, last, arrived)

    assert [day.day for day in days] == [first + timedelta(days=number) for number in range(length + 1)]
    within = [one for one in arrived if first <= one.day <= last]
    assert sum(day.total for day in days) == sum(one.archives for one in within)
    assert sum(day.size_bytes for day in days) == sum(one.size_bytes for one in within)
    for day in days:
        for type in BackupType:
            told = dict(day.archives).get(type, 0)
            assert told == sum(one.archives for one in within if (one.day, one.type) == (day.day, type))


@given(DAYS, st.integers(0, 400))
def test_weeks_have_each_day_in_its_place(first: date, length: int) -> None:
    days = calendar(first, first + timedelta(days=length), [])

    found = weeks(days)

    assert [day for week in found for day in week if day is not None] == list(days)
    assert all(len(week) == 7 for week in found)
    assert all(day.day.weekday() == place for week in found for place, day in enumerate(week) if day is not None)


def test_a_day_is_told_in_words() -> None:
    arrived = [
        ArrivedOnDay("laptop", NOV, BackupType.INC, 2, 10),
        ArrivedOnDay("laptop", NOV, BackupType.FULL, 1, 5),
    ]
    one, other = calendar(NOV, NOV + timedelta(days=1), arrived)

    assert one.words == "2026-11-01: 1 FULL and 2 INC"
    assert other == CalendarDay(NOV + timedelta(days=1))
    assert other.words == "2026-11-02: nothing"
    assert summary((one, other)) == "archives came on 1 of 2 days"


def test_a_day_tells_what_is_left_of_it_and_what_was_due() -> None:
    came = CalendarDay(NOV, ((BackupType.FULL, 1), (BackupType.INC, 2)))
    days = traced([came, CalendarDay(NOV + timedelta(days=1))], {}, {NOV, NOV + timedelta(days=1)})

    assert days[0].is_gone
    assert [day.words for day in days] == [
        "2026-11-01: 1 FULL and 2 INC, pruned since",
        "2026-11-02: nothing, though one was due",
    ]
    assert traced([came], {NOV: 1}, ())[0].words == "2026-11-01: 1 FULL and 2 INC, 2 pruned since"
    assert traced([came], {NOV: 3}, ())[0].words == came.words


@given(DAYS, st.integers(0, 400), ARRIVED)
def test_months_in_words_are_all_of_them(first: date, length: int, arrived: list[ArrivedOnDay]) -> None:
    days = traced(calendar(first, first + timedelta(days=length), arrived), {}, ())

    told = months(days)

    assert [month for month, _ in told] == sorted({f"{day.day:%Y-%m}" for day in days})
    assert all(
        ("pruned since" in words) == any(day.is_gone for day in days if f"{day.day:%Y-%m}" == month)
        for month, words in told
    )


def test_a_month_names_the_days_that_are_missing() -> None:
    days = traced(calendar(NOV, NOV + timedelta(days=2), []), {}, {NOV, NOV + timedelta(days=2)})

    assert months(days) == (("2026-11", "archives came on 0 of 3 days; one was due and none came on the 1 and 3"),)
