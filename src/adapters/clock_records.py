"""The note on the server's clock as text in JSON, as every store of it keeps it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from ..domain.retention.clock_watch import ClockNote
from ..domain.text.times import rfc3339

_UNREADABLE = "what was noted of the clock cannot be read"


def text_of(note: ClockNote) -> str:
    """*note* as text."""
    told = {"seen_at": note.seen_at and rfc3339(note.seen_at), "doubt": note.doubt}
    if note.known_until is not None:
        told["known_until"] = rfc3339(note.known_until)
    return json.dumps(told, indent=2)


def note_of(text: bytes | str) -> ClockNote:
    """The note in *text*; a doubt if that is damaged."""
    try:
        told = json.loads(text)
        seen_at, doubt = _time(told["seen_at"]), str(told["doubt"])
        known = told.get("known_until")
        return ClockNote(seen_at, doubt, None if known is None else _time(known))
    except (ValueError, KeyError, TypeError, RecursionError):
        return ClockNote(None, _UNREADABLE)


def _time(told: str) -> datetime:
    return datetime.fromisoformat(told).astimezone(UTC)
