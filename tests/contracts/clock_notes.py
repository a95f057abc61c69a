"""What every `ClockNotes` promises."""

from __future__ import annotations

from datetime import UTC, datetime

from tarkeep.domain.ports.system import ClockNotes
from tarkeep.domain.retention.clock_watch import ClockNote

NOW = datetime(2026, 11, 29, 12, 0, 0, 123456, tzinfo=UTC)


class ClockNotesContract:
    """A test module provides the fixture ``notes``: without a note."""

    def test_there_is_an_empty_note_at_first(self, notes: ClockNotes) -> None:
        assert notes.load() == ClockNote()

    def test_the_last_note_is_given_back(self, notes: ClockNotes) -> None:
        for note in (ClockNote(NOW), ClockNote(NOW, "the clock jumped", NOW), ClockNote(NOW, "", NOW), ClockNote(NOW)):
            notes.save(note)
            assert notes.load() == note
