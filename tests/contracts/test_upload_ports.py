"""The adapters for resumable uploads keep their contracts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from tarkeep.adapters.filesystem.upload_sessions import FilesystemUploadSessions
from tarkeep.adapters.memory.shared.lease_table import MemoryLeaseTable
from tarkeep.adapters.memory.upload_sessions import MemoryUploadSessions
from tarkeep.adapters.process.upkeep.renewed_leases import RenewedLeases
from tarkeep.adapters.process.upload_locks import ProcessUploadLocks
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.schema import leases as leases_table
from tarkeep.adapters.sql.shared.tables import SharedTables
from tarkeep.adapters.sql.shared.upload_rows import LeasedUploadLocks, SqlUploadSessions
from tarkeep.domain import uploads
from tarkeep.domain.errors.uploads import UploadLocked
from tarkeep.domain.ports.uploads import UploadLocks, UploadSessions
from tests.contracts.upload_locks import UploadLocksContract
from tests.contracts.upload_sessions import NOW, UploadSessionsContract, upload


class TestMemoryUploadSessions(UploadSessionsContract):
    @pytest.fixture
    def reopened(self) -> Callable[[], UploadSessions]:
        sessions = MemoryUploadSessions()
        return lambda: sessions


class TestFilesystemUploadSessions(UploadSessionsContract):
    @pytest.fixture
    def reopened(self, tmp_path: Path) -> Callable[[], UploadSessions]:
        return lambda: FilesystemUploadSessions.open(tmp_path)


class TestSqlUploadSessions(UploadSessionsContract):
    @pytest.fixture
    def tables(self, catalog_url: str) -> Iterator[SharedTables]:
        SqlCatalog.open(catalog_url, busy_seconds=60).close()
        with closing(SharedTables.open(catalog_url, busy_seconds=60)) as tables:
            yield tables

    @pytest.fixture
    def reopened(self, tables: SharedTables) -> Callable[[], UploadSessions]:
        return lambda: SqlUploadSessions(tables, lambda _: None, "here")

    def test_a_writer_that_lost_its_lease_saves_nothing(self, tables: SharedTables, catalog_url: str) -> None:
        """Another server took the upload over: what that one saved stays."""
        with closing(SqlCatalog.open(catalog_url, busy_seconds=60)) as catalog, ExitStack() as opened:
            of_each = []
            for name in ("here", "there"):
                leases = opened.enter_context(closing(RenewedLeases(catalog.leases, name)))
                locks = LeasedUploadLocks(ProcessUploadLocks(), leases)
                of_each.append((locks, SqlUploadSessions(tables, locks.lease_of, name)))
            (first, of_first), (second, of_second) = of_each
            with first.hold("a", timedelta(0)):
                of_first.save(upload("a"))
                ended = update(leases_table).where(leases_table.c.name == "upload/a").values(until_us=1)
                tables.write(lambda transaction: transaction.run(ended, {}))
                with second.hold("a", timedelta(0)):
                    of_second.save(uploads.advanced(upload("a"), 7, NOW))
                    with pytest.raises(UploadLocked):
                        of_first.save(uploads.advanced(upload("a"), 5, NOW))
                with pytest.raises(UploadLocked):
                    of_first.save(uploads.advanced(upload("a"), 5, NOW))

            assert of_first.get("a").offset_bytes == 7


class TestLeasedUploadLocks(UploadLocksContract):
    @pytest.fixture
    def locks(self) -> Iterator[UploadLocks]:
        with closing(RenewedLeases(MemoryLeaseTable(), "here")) as leases:
            yield LeasedUploadLocks(ProcessUploadLocks(), leases)

    def test_another_server_waits_and_is_refused_in_the_end(self) -> None:
        """The holder learns of it; and it has the upload as soon as that is given back."""
        table = MemoryLeaseTable()
        with closing(RenewedLeases(table, "here")) as ours, closing(RenewedLeases(table, "there")) as theirs:
            here, there = (LeasedUploadLocks(ProcessUploadLocks(), leases) for leases in (ours, theirs))
            told: list[bool] = []
            with here.hold("a", timedelta(0), lambda: told.append(True)):
                with pytest.raises(UploadLocked), there.hold("a", timedelta(0)):
                    pass
                ours.renew()
                assert told
            with there.hold("a", timedelta(0)):
                pass


class TestProcessUploadLocks(UploadLocksContract):
    @pytest.fixture
    def locks(self) -> UploadLocks:
        return ProcessUploadLocks()


def test_a_line_torn_by_a_crash_leaves_the_state_before(tmp_path: Path) -> None:
    """For any length of the journal, it has a state that was saved, or none at all, and then it is removed."""
    sessions = FilesystemUploadSessions.open(tmp_path)
    states = [upload("a")]
    for offset in (3, 6):
        states.append(uploads.advanced(states[-1], offset, NOW))
    for state in states:
        sessions.save(state)
    (journal,) = tmp_path.iterdir()
    whole = journal.read_bytes()

    seen = set()
    for size in range(len(whole) + 1):
        journal.write_bytes(whole[:size])
        found = FilesystemUploadSessions.open(tmp_path).all()
        assert found == [] or found[0] in states
        assert journal.exists() == (found != [])
        seen |= {one.offset_bytes for one in found}
    assert seen == {0, 3, 6}


def test_a_journal_goes_on_after_a_torn_line(tmp_path: Path) -> None:
    """The next saved state counts."""
    sessions = FilesystemUploadSessions.open(tmp_path)
    sessions.save(upload("a"))
    (journal,) = tmp_path.iterdir()
    with journal.open("ab") as torn:
        torn.write(b'\n{"offset": 7')
    state = uploads.advanced(upload("a"), 4, NOW)
    FilesystemUploadSessions.open(tmp_path).save(state)
    assert FilesystemUploadSessions.open(tmp_path).get("a") == state


def test_a_flipped_bit_leaves_a_saved_state_or_no_upload(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """For any bit. A journal without a valid state is removed, and the log names it; the next saved state counts."""
    sessions = FilesystemUploadSessions.open(tmp_path)
    states = [upload("a")]
    for offset in (3, 6):
        states.append(uploads.advanced(states[-1], offset, NOW, offset * 7))
    for state in states:
        sessions.save(state)
    (journal,) = tmp_path.iterdir()
    whole = journal.read_bytes()

    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        journal.write_bytes(flipped)
        caplog.clear()
        found = FilesystemUploadSessions.open(tmp_path)
        if found.all():
            (state,) = found.all()
            assert state in states
            further = uploads.advanced(state, 8, NOW, 56)
            found.save(further)
            assert FilesystemUploadSessions.open(tmp_path).get("a") == further
        else:
            assert not journal.exists()
            assert str(journal) in caplog.text


def test_a_journal_of_an_earlier_version_is_continued(tmp_path: Path) -> None:
    """Its lines have no sum, and there is no CRC of the bytes before its offset; the next saved line has a sum."""
    FilesystemUploadSessions.open(tmp_path).save(upload("a"))
    (journal,) = tmp_path.iterdir()
    told = json.loads(journal.read_bytes().partition(b"\t")[0])
    del told["crc32"]
    journal.write_bytes(b"\n" + json.dumps(told | {"offset": 3}).encode() + b"\n")

    (found,) = FilesystemUploadSessions.open(tmp_path).all()
    assert (found.offset_bytes, found.crc32) == (3, None)
    sessions = FilesystemUploadSessions.open(tmp_path)
    sessions.save(uploads.advanced(found, 5, NOW))
    assert FilesystemUploadSessions.open(tmp_path).get("a").offset_bytes == 5
