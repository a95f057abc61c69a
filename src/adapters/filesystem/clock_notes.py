"""The note on the server's clock, a small file in the data directory."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from attrs import define

from ...domain.retention.clock_watch import ClockNote
from ...domain.text.times import rfc3339
from ..process.os_errors import translated
from .durable_file import replace_file

NAME = "clock.json"
_UNREADABLE = "what was noted of the clock cannot be read"


@define
class FileClockNotes:
    """`ClockNotes` in the data directory *data*."""

    data: Path

    def load(self) -> ClockNote:
        with translated():
            try:
                content = (self.data / NAME).read_bytes()
            except FileNotFoundError:
                return ClockNote()
        try:
            told = json.loads(content)
            seen_at, doubt = _time(told["seen_at"]), str(told["doubt"])
            known = told.get("known_until")
            return ClockNote(seen_at, doubt, None if known is None else _time(known))
        except (ValueError, KeyError, TypeError, RecursionError):
            return ClockNote(None, _UNREADABLE)

    def save(self, note: ClockNote) -> None:
        told = {"seen_at": note.seen_at and rfc3339(note.seen_at), "doubt": note.doubt}
        if note.known_until is not None:
            told["known_until"] = rfc3339(note.known_until)
        with translated(writing=True):
            replace_file(self.data / NAME, json.dumps(told, indent=2).encode() + b"\n")


def _time(told: str) -> datetime:
    return datetime.fromisoformat(told).astimezone(UTC)
