"""The note on the server's clock, a small file in the data directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import define

from ...domain.retention.clock_watch import ClockNote
from ..clock_records import note_of, text_of
from ..process.os_errors import translated
from .durable_file import replace_file, set_aside

NAME = "clock.json"


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
        return note_of(content)

    def save(self, note: ClockNote) -> None:
        with translated(writing=True):
            replace_file(self.data / NAME, text_of(note).encode() + b"\n")

    def give_away(self, take: Callable[[ClockNote], object]) -> None:
        """Let *take* keep the note elsewhere; then there is none here, and its file has another name."""
        with translated(writing=True):
            if (self.data / NAME).exists():
                take(self.load())
                set_aside(self.data / NAME)
