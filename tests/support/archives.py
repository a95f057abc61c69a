"""Real small archives and values for tests, made without our own code."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from datetime import UTC, datetime

from tarkeep.domain.archives.archive import BackupArchive, Contents, Kind
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import Digests

SNAPSHOT = b"GNU tar-1.34-2\n1763716039\0000\0"
"""The snapshot file of a dump that saw no directory."""

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def make_tar(files: dict[str, bytes] | None = None, *, mtime: int = 1_700_000_000) -> bytes:
    """A plain tar holding *files* (name -> bytes)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in (files if files is not None else {"hello.txt": b"hello\n"}).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mtime = mtime
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def make_targz(files: dict[str, bytes] | None = None, *, mtime: int = 1_700_000_000) -> bytes:
    """A plain ``.tar.gz`` holding *files*; the same arguments give the same bytes."""
    return gzip.compress(make_tar(files, mtime=mtime), mtime=0)


def digests_of(content: bytes) -> Digests:
    return Digests(md5=hashlib.md5(content).hexdigest(), sha256=hashlib.sha256(content).hexdigest())


def make_archive(
    name: str = "full_2025-11-21_09-07-19.tar.gz",
    *,
    profile: str = "document",
    type: BackupType = BackupType.FULL,
    content: bytes = b"some bytes",
    received_at: datetime = NOON,
) -> BackupArchive:
    """A catalog entry for *content*, whatever that is."""
    return BackupArchive(
        id=ArchiveId(profile, type, name),
        size_bytes=len(content),
        digests=digests_of(content),
        received_at=received_at,
        taken_at=received_at,
        contents=Contents(Kind.PLAIN, members=1, unpacked_bytes=10_240, newest_member=received_at),
    )
