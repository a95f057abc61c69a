"""Every adapter of the port `ClockNotes` against its contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from tarkeep.adapters.filesystem.clock_notes import NAME, FileClockNotes
from tarkeep.adapters.memory.upkeep.clock_notes import MemoryClockNotes
from tarkeep.domain.ports.system import ClockNotes
from tarkeep.domain.retention.clock_watch import ClockNote
from tests.contracts.clock_notes import NOW, ClockNotesContract


class TestMemoryClockNotes(ClockNotesContract):
    @pytest.fixture
    def notes(self) -> ClockNotes:
        return MemoryClockNotes()


class TestFileClockNotes(ClockNotesContract):
    @pytest.fixture
    def notes(self, tmp_path: Path) -> ClockNotes:
        return FileClockNotes(tmp_path)

    def test_it_outlives_the_process(self, tmp_path: Path) -> None:
        FileClockNotes(tmp_path).save(ClockNote(NOW, "why"))
        assert FileClockNotes(tmp_path).load() == ClockNote(NOW, "why")

    @pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"seen_at": null, "doubt": ""}', b"\xff"])
    def test_a_damaged_note_is_a_doubt(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / NAME).write_bytes(content)
        assert FileClockNotes(tmp_path).load() == ClockNote(None, "what was noted of the clock cannot be read")
