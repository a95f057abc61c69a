"""Uploads whose bytes are received by several servers in turn, over one store and one table of uploads."""

from __future__ import annotations

import random

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.adapters.memory.upload_sessions import MemoryUploadSessions
from tarkeep.domain.archives.archive import Offer
from tarkeep.domain.errors.content import RejectedContent
from tarkeep.domain.errors.uploads import ChecksumMismatch, UploadGone, UploadNotFound
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.uploads import Checksum, ChecksumAlgorithm
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tarkeep.entrypoints.wiring.uploads import UploadLimits
from tests.support.archives import make_targz
from tests.support.assembled import assembled
from tests.support.clocks import FixedClock

ID = ArchiveId("laptop", BackupType.FULL, "full.tar.gz")
CONTENT = make_targz({"file": random.Random(1).randbytes(60_000), "other": b"x" * 10_000})


@define(eq=False)
class Servers:
    """Three servers; *read_bytes* counts what their writers read again from staging."""

    store: MemoryArchiveStore = field(factory=lambda: MemoryArchiveStore(FixedClock()))
    sessions: MemoryUploadSessions = field(factory=MemoryUploadSessions)
    each: list[Tarkeep] = field(init=False)

    def __attrs_post_init__(self) -> None:
        clock, catalog = FixedClock(), MemoryCatalog()
        limits = UploadLimits(may_move=True)
        self.each = [
            assembled(self.store, catalog, clock, sessions=self.sessions, upload_limits=limits) for _ in range(3)
        ]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30_000)), max_size=30), st.booleans())
def test_whoever_receives_the_last_bytes_stores_the_archive(turns: list[tuple[int, int]], is_known: bool) -> None:
    """In whatever pieces and order of servers, with a length declared at first or at the end."""
    servers = Servers()
    upload = servers.each[0].uploads.begin(Offer(ID), len(CONTENT) if is_known else None)
    for server, size in [*turns, (1, len(CONTENT))]:
        start = upload.offset_bytes
        rest = len(CONTENT) - start
        if not rest and upload.archive is not None:
            break
        piece = CONTENT[start : start + size]
        upload = servers.each[server].uploads.append(upload.id, start, [piece], is_the_rest=len(piece) == rest)

    assert upload.archive == ID
    assert b"".join(servers.store.read(ID)) == CONTENT
    assert servers.each[2].find_by_name(ID.profile, [ID.type], ID.name).contents is not None


def test_bytes_are_read_again_once_however_often_the_servers_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stores the archive reads all of it; nobody does before."""
    servers = Servers()
    upload = servers.each[0].uploads.begin(Offer(ID), len(CONTENT))
    staged, read = type(servers.store.begin()).staged, []

    def counted(writer: object, start: int = 0) -> object:
        for block in staged(writer, start):  # type: ignore[arg-type]
            read.append(len(block))
            yield block

    monkeypatch.setattr(type(servers.store.begin()), "staged", counted)
    step = len(CONTENT) // 50
    for number, start in enumerate(range(0, len(CONTENT), step)):
        servers.each[number % 3].uploads.append(upload.id, start, [CONTENT[start : start + step]])

    # inspected once, compared with its CRC-32 once
    assert sum(read) < 3 * len(CONTENT)


def test_what_is_no_archive_ends_the_upload_with_its_last_bytes() -> None:
    servers = Servers()
    junk = b"no archive at all" * 100
    upload = servers.each[0].uploads.begin(Offer(ID), len(junk))
    servers.each[1].uploads.append(upload.id, 0, [CONTENT[:4]])
    servers.each[2].uploads.append(upload.id, 4, [junk[4:100]])

    with pytest.raises(RejectedContent):
        servers.each[0].uploads.append(upload.id, 100, [junk[100:]])
    with pytest.raises(UploadGone):
        servers.each[0].uploads.append(upload.id, 100, [junk[100:]])
    with pytest.raises(UploadNotFound):  # the others do not know why, and a client begins anew all the same
        servers.each[1].uploads.append(upload.id, 100, [junk[100:]])


def test_a_piece_with_a_wrong_checksum_is_dropped() -> None:
    """Also by a server that has seen nothing of what came before."""
    servers = Servers()
    upload = servers.each[0].uploads.begin(Offer(ID), len(CONTENT))
    servers.each[0].uploads.append(upload.id, 0, [CONTENT[:1000]])

    with pytest.raises(ChecksumMismatch):
        servers.each[1].uploads.append(
            upload.id, 1000, [CONTENT[1000:2000]], checksum=Checksum(ChecksumAlgorithm.SHA1, bytes(20))
        )
    servers.each[2].uploads.append(upload.id, 1000, [CONTENT[1000:]])

    assert b"".join(servers.store.read(ID)) == CONTENT
