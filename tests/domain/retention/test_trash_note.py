"""The note of a removed archive is read as it was written, and refused if it is anything else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.errors.archives import InvalidSidecar
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import Digests
from tarkeep.domain.retention.trash_note import TrashNote, decode, encode, is_purged

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
FULL = ArchiveId("laptop", BackupType.FULL, "full.tar.gz")
INC = ArchiveId("laptop", BackupType.INC, "inc.tar.gz")
ARCHIVE = BackupArchive(INC, 17, Digests(md5="0" * 32, sha256="1" * 64), NOW - timedelta(days=9), NOW)
NOTE = TrashNote.of(
    ARCHIVE, FULL, trashed_at=NOW, keep_until=NOW + timedelta(days=7), plan="2" * 64, reasons=("no rule wants it",)
)


@pytest.mark.parametrize("note", [NOTE, NOTE.purged(NOW + timedelta(days=8))])
def test_a_note_reads_what_it_writes(note: TrashNote) -> None:
    assert decode(encode(note)) == note


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null", b'{"format": 2}', encode(NOTE)[:-9]])
def test_anything_else_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidSidecar):
        decode(raw)


@pytest.mark.parametrize(
    "member", ["profile", "type", "name", "sha256", "received_at", "taken_at", "keep_until", "reasons"]
)
def test_a_member_that_is_missing_is_named(member: str) -> None:
    with pytest.raises(InvalidSidecar, match=member):
        decode(encode(NOTE).replace(f'"{member}"'.encode(), b'"other"'))


def test_only_a_note_that_says_when_is_of_purged_bytes() -> None:
    """No note, one without that time, and one that cannot be read are not."""
    assert is_purged(encode(NOTE.purged(NOW)))
    for raw in (None, b"", b"torn", encode(NOTE), encode(NOTE.purged(NOW))[:-9]):
        assert not is_purged(raw)
