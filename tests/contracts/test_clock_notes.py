"""Every adapter of the port `ClockNotes` against its contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tarkeep.adapters.filesystem.clock_notes import NAME, FileClockNotes
from tarkeep.adapters.memory.upkeep.clock_notes import MemoryClockNotes
from tarkeep.adapters.sql.agreed.clock_rows import SqlClockNotes
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.shared.tables import SharedTables
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


class TestSqlClockNotes(ClockNotesContract):
    @pytest.fixture
    def notes(self, tables: SharedTables) -> ClockNotes:
        return SqlClockNotes(tables)

    def test_a_doubt_of_one_server_counts_for_all(self, tables: SharedTables, tmp_path: Path) -> None:
        """A note without one that a data directory brings in does not replace what the servers noted since."""
        notes, files = SqlClockNotes(tables), FileClockNotes(tmp_path)
        for kept, brought, expected in (
            (ClockNote(NOW), ClockNote(NOW, "why"), ClockNote(NOW, "why")),
            (ClockNote(NOW, "why"), ClockNote(NOW), ClockNote(NOW, "why")),
        ):
            notes.save(kept)
            files.save(brought)
            files.give_away(notes.take_over)
            assert notes.load() == expected
            assert files.load() == ClockNote()


@pytest.fixture
def tables(catalog_url: str) -> Iterator[SharedTables]:
    SqlCatalog.open(catalog_url).close()
    with closing(SharedTables.open(catalog_url, busy_seconds=60)) as tables:
        yield tables
