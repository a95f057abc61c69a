"""Property: each missed slot is told once, within a minute past its grace, across restarts and changes of the clock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tarkeep.adapters.cron_lines import CronsimLines
from tarkeep.domain.notices.event import Event
from tarkeep.domain.notices.routes import Route
from tarkeep.domain.profiles.expectation import Cadence, Expectation
from tarkeep.domain.text.times import rfc3339
from tests.support.clocks import FixedClock
from tests.support.watched import OPS, Watched

PARIS = ZoneInfo("Europe/Paris")
STARTS = [datetime(2026, 3, 27, 12, tzinfo=UTC), datetime(2026, 10, 23, 12, tzinfo=UTC)]  # before clocks change
DAYS = 5
LINES = ["0 2 * * *", "30 2 * * *", "15 */6 * * *", "0 3 * * 0"]
HOUR = timedelta(hours=1)
LOOK = timedelta(seconds=30)


def _times(line: str, start: datetime) -> list[datetime]:
    schedule, found = CronsimLines().read(line, PARIS), []
    at = start - timedelta(days=8)
    while (at := schedule.after(at)) < start + timedelta(days=DAYS + 8):
        found.append(at)
    return found


def _looks(start: datetime, extra: Sequence[datetime]) -> list[datetime]:
    """Moments at which the server looks: at the times that matter, and otherwise now and then."""
    end = start + timedelta(days=DAYS)
    found = {start + number * HOUR / 2 for number in range(DAYS * 48)}
    for moment in extra:
        seconds = math.ceil(moment.timestamp() / LOOK.total_seconds()) * LOOK.total_seconds()
        found.add(datetime.fromtimestamp(seconds, UTC) + timedelta(seconds=5))
    return sorted(one for one in found if start < one < end)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    start=st.sampled_from(STARTS),
    line=st.sampled_from(LINES),
    grace_hours=st.sampled_from([1, 2, 5]),
    arrivals=st.lists(st.integers(1, DAYS * 24 * 60 - 1), max_size=8, unique=True),
    restarts=st.sets(st.integers(0, DAYS * 48), max_size=6),
    away=st.none() | st.tuples(st.integers(1, DAYS * 24 - 10), st.integers(1, 9)),
)
def test_each_missed_slot_is_told_once_and_in_time(
    start: datetime,
    line: str,
    grace_hours: int,
    arrivals: list[int],
    restarts: set[int],
    away: tuple[int, int] | None,
) -> None:
    grace, times = grace_hours * HOUR, _times(line, start)
    expectation = Expectation((Cadence(None, CronsimLines().read(line, PARIS)),), grace, zone=PARIS)
    watched = Watched(expectation, Route((OPS,), frozenset({Event.OVERDUE})), clock=FixedClock(start))
    watched.receive("first")
    came = [start + timedelta(minutes=minute, seconds=7) for minute in sorted(arrivals)]
    down = (start, start) if away is None else (start + away[0] * HOUR, start + (away[0] + away[1]) * HOUR)
    came = [one for one in came if not down[0] <= one <= down[1]]
    told_at: dict[str, list[datetime]] = {}
    waiting, seen, was_down = list(came), 0, False
    for number, moment in enumerate(_looks(start, [one + grace for one in times])):
        while waiting and waiting[0] <= moment:
            watched.clock.advance(waiting[0] - watched.clock.now())
            watched.receive(f"a{len(waiting)}")
            waiting.pop(0)
        if down[0] <= moment <= down[1] and away is not None:
            was_down = True
            continue
        if number in restarts and not was_down and watched.clock.now() < moment - LOOK:
            watched.look(moment - LOOK - watched.clock.now())  # else the time since the last look is an absence
            watched.restart()
        if was_down:
            watched.restart()
            was_down = False
        watched.look(moment - watched.clock.now())
        for message in watched.told()[seen:]:
            for item in message.items:
                if message.kind.value == "alert":
                    told_at.setdefault(item.key.subject, []).append(watched.clock.now())
        seen = len(watched.told())

    assert all(len(moments) == 1 for moments in told_at.values()), told_at
    end = watched.clock.now()
    for before, due in pairwise(times):
        counts_from, deadline = due - min(grace, (due - before) / 2), due + grace
        subject = f"any {rfc3339(due)}"
        is_filled = any(counts_from <= one < deadline for one in [start, *came])
        touches_absence = away is not None and down[0] - HOUR < deadline and down[1] > counts_from
        if subject in told_at:
            assert told_at[subject][0] >= deadline
            assert not is_filled
        if due <= start or deadline >= end - LOOK or touches_absence:
            continue
        assert (subject in told_at) == (not is_filled), (subject, told_at)
        if subject in told_at and away is None:
            assert told_at[subject][0] - deadline <= timedelta(minutes=1)
