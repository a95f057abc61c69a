"""The adapters for resumable uploads keep their contracts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tarkeep.adapters.filesystem.upload_sessions import FilesystemUploadSessions
from tarkeep.adapters.memory.upload_sessions import MemoryUploadSessions
from tarkeep.adapters.process.upload_locks import ProcessUploadLocks
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


class TestProcessUploadLocks(UploadLocksContract):
    @pytest.fixture
    def locks(self) -> UploadLocks:
        return ProcessUploadLocks()


def test_a_line_torn_by_a_crash_leaves_the_state_before(tmp_path: Path) -> None:
    """For any length of the journal, it has a state that was saved, or none at all, and then it is removed."""
    from tarkeep.domain import uploads

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
    from tarkeep.domain import uploads

    state = uploads.advanced(upload("a"), 4, NOW)
    FilesystemUploadSessions.open(tmp_path).save(state)
    assert FilesystemUploadSessions.open(tmp_path).get("a") == state


def test_a_flipped_bit_leaves_a_saved_state_or_no_upload(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """For any bit. A journal without a valid state is removed, and the log names it; the next saved state counts."""
    from tarkeep.domain import uploads

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
    from tarkeep.domain import uploads

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
