"""
Whether the server's clock can be trusted with removing anything.

A clock that jumps ahead would end locks, age everything, and empty the trash, all in one minute. So the time is noted
as it passes, and where it does not pass as it should, nothing is removed until an operator has looked at the clock:
after a jump against the machine's count of seconds, a start before something that already happened, or a start a long
time after the server last ran.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import evolve, frozen

from ..text.times import rfc3339

JUMP = timedelta(minutes=5)
"""A smaller difference is a clock being set right."""

ABSENCE = timedelta(days=30)
"""A server that was away longer asks whether the time is right."""


_MOMENT = timedelta(seconds=5)


@frozen
class ClockNote:
    """
    *seen_at* is the time that was noted last, None if none was; *doubt* says why times are not trusted, if so.

    Receipts up to *known_until* were known when somebody accepted the clock: that they lie ahead is no news.
    """

    seen_at: datetime | None = None
    doubt: str = ""
    known_until: datetime | None = None


def at_start(
    note: ClockNote, now: datetime, newest_receipt: datetime | None, newest_run: datetime | None = None
) -> ClockNote:
    """
    The note after a start at *now*, given that of the last run, and the newest receipt of an archive.

    *newest_run* is when a job ran last: if the note is lost, the server ran at least until then.
    """
    doubt, ran_at = note.doubt, note.seen_at or newest_run
    is_known = newest_receipt is None or (note.known_until is not None and newest_receipt <= note.known_until)
    if ran_at is not None and now < ran_at - JUMP:
        doubt = f"the clock shows {_shown(now)}, but the server ran until {_shown(ran_at)}"
    elif newest_receipt is not None and not is_known and now < newest_receipt - JUMP:
        doubt = f"the clock shows {_shown(now)}, but an archive was received at {_shown(newest_receipt)}"
    elif ran_at is not None and now > ran_at + ABSENCE:
        days = (now - ran_at).days
        doubt = f"the clock shows {_shown(now)}, {days} days after the server last ran: the clock may be wrong"
    return evolve(note, seen_at=now, doubt=doubt)


def accepted(note: ClockNote, newest_receipt: datetime | None) -> ClockNote:
    """The note after somebody said that the clock is right, though the newest archive may lie ahead of it."""
    return evolve(note, doubt="", known_until=newest_receipt)


def at_tick(note: ClockNote, now: datetime, before: datetime, passed: timedelta) -> ClockNote:
    """
    The note at *now*, when by the machine's count of seconds *passed* since the clock showed *before*.
    """
    jump = now - before - passed
    if abs(jump) <= JUMP:
        return evolve(note, seen_at=now)
    direction = "ahead" if jump > timedelta() else "back"
    doubt = f"the clock jumped {direction} by {_length(abs(jump))}, to {_shown(now)}"
    return evolve(note, seen_at=now, doubt=doubt)


def is_as_good(kept: ClockNote, note: ClockNote) -> bool:
    """Whether *kept* will do in place of *note*: they differ in nothing but a moment."""
    if kept.seen_at is None or note.seen_at is None or evolve(kept, seen_at=note.seen_at) != note:
        return False
    return timedelta() <= note.seen_at - kept.seen_at < _MOMENT


def _shown(moment: datetime) -> str:
    return rfc3339(moment.replace(microsecond=0))


def _length(span: timedelta) -> str:
    hours, minutes = divmod(int(span.total_seconds()) // 60, 60)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"
