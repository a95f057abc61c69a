"""The note on the server's clock, for as long as the process runs."""

from __future__ import annotations

from attrs import define, field

from ....domain.retention.clock_watch import ClockNote


@define
class MemoryClockNotes:
    """`ClockNotes` in this process's memory."""

    note: ClockNote = field(factory=ClockNote)

    def load(self) -> ClockNote:
        return self.note

    def save(self, note: ClockNote) -> None:
        self.note = note
