"""Which archives are overdue: each missed slot once, whenever somebody looks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tarkeep.adapters.cron_lines import CronsimLines
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.profiles.expectation import Cadence, Expectation, Holiday
from tarkeep.domain.profiles.span import Span
from tarkeep.domain.watching.slots import Absence, Slot, missed, slots

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PARIS = ZoneInfo("Europe/Paris")
START = datetime(2026, 11, 2, 12, tzinfo=UTC)  # a Monday
STATED = Expectation()
LINES = ("0 2 * * *", "0 2 * * 0", "30 */6 * * *", "30 2 * * *", "0 2,14 * * 1-5", "15 1 1 * *", "* 3 * * 1")


def nightly(line: str = "0 2 * * *", zone: ZoneInfo | None = None) -> Cadence:
    return Cadence(BackupType.FULL, CronsimLines().read(line, zone or UTC))


def told(cadence: Cadence, last: datetime | None, now: datetime, expectation: Expectation = STATED) -> list[datetime]:
    return [slot.due_at for slot in missed(cadence, expectation, last, START, now)]


def at(day: int, hour: int = 2, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def test_a_slot_is_missed_when_its_grace_is_over() -> None:
    six_hours = Expectation(grace=6 * HOUR)
    assert told(nightly(), at(3), at(4, 7, 59), six_hours) == []
    assert told(nightly(), at(3), at(4, 8), six_hours) == [at(4)]
    assert told(nightly(), at(3), at(6, 8), six_hours) == [at(4), at(5), at(6)]


@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [
        (at(3, 21), at(4, 9), []),  # five hours early: it counts for the night that comes
        (at(3, 19), at(4, 9), [at(4)]),  # seven hours early, with a grace of six: it was late for the night before
        (at(4, 20, 1), at(5, 9), []),
        (at(4, 2), at(4, 9), []),
    ],
)
def test_an_archive_that_comes_early_counts_for_the_next_slot(
    last: datetime, now: datetime, expected: list[datetime]
) -> None:
    assert told(nightly(), last, now, Expectation(grace=6 * HOUR)) == expected


def test_no_archive_counts_for_two_slots_however_long_the_grace_is() -> None:
    """Half of the time since the slot before is the most that an archive is early."""
    two_days = Expectation(grace=48 * HOUR)
    assert told(nightly(), at(3, 13, 59), at(6, 2), two_days) == [at(4)]
    assert told(nightly(), at(3, 14, 1), at(6, 2), two_days) == []


def test_archives_that_come_every_so_often_are_counted_from_the_newest() -> None:
    daily = Cadence(None, Span.parse("24h"))
    expectation = Expectation(grace=2 * HOUR)
    assert told(daily, at(3, 17), at(4, 18, 59), expectation) == []
    assert told(daily, at(3, 17), at(5, 19), expectation) == [at(4, 17), at(5, 17)]
    assert told(daily, None, START + 26 * HOUR, expectation) == [START + DAY]


def test_nothing_is_to_come_on_holidays() -> None:
    off = Expectation(grace=HOUR, holidays=(Holiday(date(2026, 11, 4), date(2026, 11, 6)),), zone=UTC)
    assert told(nightly(), at(3), at(7, 1), off) == []
    assert told(nightly(), at(3), at(7, 3), off) == [at(7)]
    daily = Cadence(None, Span.parse("1d"))
    assert told(daily, at(3, 17), at(7, 0), off) == []
    assert told(daily, at(3, 17), at(7, 1), off) == [at(7, 0)]


def test_while_the_server_was_away_nothing_could_come() -> None:
    """The deadline is later by its absence, and by the time that clients need to come again."""
    cadence, expectation = nightly(), Expectation(grace=6 * HOUR)
    away = [Absence(at(4, 1), at(4, 7))]
    (slot,) = islice(slots(cadence, expectation, at(3), START, away), 1)
    assert slot == Slot(at(3, 20), at(4), at(4, 8) + 6 * HOUR + HOUR)
    before = [Absence(at(3, 5), at(3, 19))]
    assert next(slots(cadence, expectation, at(3), START, before)).deadline == at(4, 8)


def test_a_time_that_the_clock_passes_twice_is_one_slot_and_one_that_it_skips_is_one_too() -> None:
    """Clocks are set back on 25 October 2026 at 03:00, and ahead on 29 March 2026 at 02:00."""
    cadence = nightly("30 2 * * *", PARIS)
    last = datetime(2026, 10, 24, 1, tzinfo=UTC)
    due = [one.due_at.astimezone(PARIS) for one in islice(slots(cadence, STATED, last, last), 3)]
    assert [one.day for one in due] == [25, 26, 27]
    last = datetime(2026, 3, 28, 3, tzinfo=UTC)
    due = [one.due_at.astimezone(PARIS) for one in islice(slots(cadence, STATED, last, last), 2)]
    assert [one.day for one in due] == [29, 30]


def test_a_time_that_never_comes_again_is_missed_once() -> None:
    """The calendar ends."""
    last = datetime(9999, 12, 30, tzinfo=UTC)
    assert len(list(islice(slots(nightly(), STATED, last, last), 10))) <= 1
    assert list(islice(slots(Cadence(None, Span.parse("9000y")), Expectation(), last, last), 10)) == []


def as_stated(cadence: Cadence, expectation: Expectation, until: datetime) -> list[Slot]:
    """All slots from the start on, as if no archive ever came."""
    return list(takewhile(lambda slot: slot.deadline <= until, slots(cadence, expectation, None, START)))


@given(
    st.sampled_from(LINES),
    st.sampled_from([UTC, PARIS]),
    st.integers(1, 60).map(lambda hours: hours * HOUR),
    st.lists(st.integers(0, 40 * 24 * 60), max_size=30).map(sorted),
    st.lists(st.integers(1, 40 * 24 * 60), max_size=15).map(sorted),
)
@settings(max_examples=50)
def test_each_missed_slot_is_told_once_whenever_somebody_looks(
    line: str, zone: ZoneInfo, grace: timedelta, arrivals: Sequence[int], looks: Sequence[int]
) -> None:
    """
    Each look tells what was missed since the last one; together they tell what a look each minute tells.

    A slot is missed if no archive that counts for it, or for a later one, came before its deadline.
    """
    cadence, expectation = nightly(line, zone), Expectation(grace=grace)
    received = [START + timedelta(minutes=minute) for minute in arrivals]
    end = START + 41 * DAY
    expected = {
        slot.due_at
        for slot in as_stated(cadence, expectation, end)
        if not any(slot.counts_from <= one < slot.deadline for one in received)
    }

    found: list[datetime] = []
    judged_until = START
    for now in sorted({*(START + timedelta(minutes=look) for look in looks), *_deadlines(cadence, expectation, end)}):
        last = max((one for one in received if one < now), default=None)
        new = [slot for slot in missed(cadence, expectation, last, START, now) if slot.due_at > judged_until]
        found += [slot.due_at for slot in new]
        judged_until = max([judged_until, *(slot.due_at for slot in new)])

    assert len(set(found)) == len(found)
    assert set(found) == expected


def _deadlines(cadence: Cadence, expectation: Expectation, end: datetime) -> set[datetime]:
    return {slot.deadline for slot in as_stated(cadence, expectation, end)}
