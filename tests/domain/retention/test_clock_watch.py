"""When a clock is trusted, and when it is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tarkeep.domain.retention.clock_watch import ClockNote, accepted, at_start, at_tick, is_as_good

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("seen", "receipt"),
    [
        (None, None),
        (NOW - timedelta(days=30), None),
        (NOW + 5 * MINUTE, NOW + 5 * MINUTE),
        (None, NOW - timedelta(days=900)),
    ],
)
def test_an_ordinary_start(seen: datetime | None, receipt: datetime | None) -> None:
    """The first one, one after a while, one of a clock that was set right, one with old archives."""
    assert at_start(ClockNote(seen), NOW, receipt) == ClockNote(NOW)


@pytest.mark.parametrize(
    ("seen", "receipt", "doubt"),
    [
        (
            NOW + 6 * MINUTE,
            None,
            "the clock shows 2026-11-29T12:00:00Z, but the server ran until 2026-11-29T12:06:00Z",
        ),
        (
            None,
            NOW + 6 * MINUTE,
            "the clock shows 2026-11-29T12:00:00Z, but an archive was received at 2026-11-29T12:06:00Z",
        ),
        (
            NOW - timedelta(days=31),
            None,
            "the clock shows 2026-11-29T12:00:00Z, 31 days after the server last ran: the clock may be wrong",
        ),
    ],
)
def test_a_start_at_an_odd_time(seen: datetime | None, receipt: datetime | None, doubt: str) -> None:
    assert at_start(ClockNote(seen), NOW, receipt) == ClockNote(NOW, doubt)


def test_where_the_note_is_lost_the_runs_of_jobs_say_when_the_server_ran() -> None:
    """Else any clock would be trusted once the note is gone, and empty the trash at once."""
    lost = ClockNote()
    assert at_start(lost, NOW, None, NOW - timedelta(days=30)).doubt == ""
    assert "31 days after the server last ran" in at_start(lost, NOW, None, NOW - timedelta(days=31)).doubt
    assert "but the server ran until" in at_start(lost, NOW, None, NOW + timedelta(hours=1)).doubt
    assert at_start(ClockNote(NOW - MINUTE), NOW, None, NOW - timedelta(days=31)).doubt == ""


def test_an_archive_from_the_future_is_accepted_once() -> None:
    """It stays there; a start is no news of it. Another one is."""
    ahead = NOW + timedelta(days=900)
    note = accepted(at_start(ClockNote(NOW - MINUTE), NOW, ahead), ahead)
    assert note == ClockNote(NOW, known_until=ahead)
    later = at_tick(note, NOW + MINUTE, NOW, MINUTE)
    assert at_start(later, NOW + 2 * MINUTE, ahead).doubt == ""
    assert at_start(later, NOW + 2 * MINUTE, ahead + MINUTE).doubt != ""


def test_a_doubt_stays_until_somebody_accepts_the_clock() -> None:
    assert at_start(ClockNote(NOW - MINUTE, "before"), NOW, None) == ClockNote(NOW, "before")
    assert at_tick(ClockNote(NOW - MINUTE, "before"), NOW, NOW - MINUTE, MINUTE) == ClockNote(NOW, "before")


@pytest.mark.parametrize("drift", [timedelta(), 5 * MINUTE, -5 * MINUTE])
def test_an_ordinary_minute(drift: timedelta) -> None:
    assert at_tick(ClockNote(), NOW, NOW - MINUTE - drift, MINUTE) == ClockNote(NOW)


@pytest.mark.parametrize(
    ("jump", "said"),
    [
        (6 * MINUTE, "ahead by 0 h 6 min"),
        (timedelta(days=3650), "ahead by 3650 d 0 h"),
        (-timedelta(hours=3), "back by 3 h 0 min"),
    ],
)
def test_a_jump(jump: timedelta, said: str) -> None:
    note = at_tick(ClockNote(), NOW, NOW - MINUTE - jump, MINUTE)

    assert note == ClockNote(NOW, f"the clock jumped {said}, to 2026-11-29T12:00:00Z")


def test_a_note_of_a_moment_ago_will_do_unless_it_says_something_else() -> None:
    now, second = ClockNote(NOW, "doubt", NOW), timedelta(seconds=1)

    assert is_as_good(ClockNote(NOW - 4 * second, "doubt", NOW), now)
    assert not is_as_good(ClockNote(NOW - 5 * second, "doubt", NOW), now)
    assert not is_as_good(ClockNote(NOW + second, "doubt", NOW), now)
    assert not is_as_good(ClockNote(NOW, "", NOW), now)
    assert not is_as_good(ClockNote(NOW, "doubt"), now)
    assert not is_as_good(ClockNote(), now)
