"""Custody of snapshot files: only the file that the dump left is given out; the chain survives its loss."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import BackupArchive, Lineage
from tarkeep.domain.archives.sidecar import decode, encode
from tarkeep.domain.errors.archives import SnapshotNotFound
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.invalid import DigestMismatch
from tests.support.archives import make_targz
from tests.support.assembled import InMemory, offer, pieces

SNAPSHOT = random.Random(1).randbytes(3 << 20)
DIGEST = hashlib.sha256(SNAPSHOT).hexdigest()


@pytest.fixture
def memory() -> InMemory:
    return InMemory()


@pytest.fixture
def archive(memory: InMemory) -> BackupArchive:
    """A FULL sent without any digest of its snapshot file, and the file afterwards."""
    stored = memory.tarkeep.receive(offer(), [make_targz()]).archive
    memory.tarkeep.keep_snapshot(stored.id, pieces(SNAPSHOT, 1 << 20))
    return stored


def read(memory: InMemory, id: ArchiveId, take: Callable[[bytes], None] = lambda _block: None) -> bytes:
    content = b""
    with memory.tarkeep.read_snapshot(id) as reader:
        for block in reader:
            take(block)
            content += block
    return content


def test_the_side_car_says_what_the_dump_left_behind(memory: InMemory, archive: BackupArchive) -> None:
    """Although its sender did not declare it with the archive; the catalog agrees."""
    sidecar = memory.store.stat(archive.id).sidecar
    assert sidecar is not None
    assert decode(sidecar) == evolve(archive, lineage=Lineage(snapshot_after=DIGEST))
    assert memory.catalog.find(archive.id) == evolve(decode(sidecar), has_snapshot=True)
    assert read(memory, archive.id) == SNAPSHOT


@pytest.mark.parametrize("how", ["lost", "rotten", "cut", "emptied"])
def test_a_snapshot_file_that_is_gone_takes_no_proof_with_it(
    memory: InMemory, archive: BackupArchive, how: str
) -> None:
    """The chain stays proven, even after a rebuild; only the next dump cannot start from it."""
    inc = evolve(offer("b.tar.gz", type=BackupType.INC), lineage=Lineage((BackupType.FULL, archive.id.name), DIGEST))
    child = memory.tarkeep.receive(inc, [make_targz({"b": b"b"})]).archive
    held = memory.store.archives[archive.id]
    held.snapshot = {"lost": None, "rotten": b"!" + SNAPSHOT[1:], "cut": SNAPSHOT[:-1], "emptied": b""}[how]

    report = memory.tarkeep.rebuild()

    assert report.wrong_snapshots == ([] if how == "lost" else [archive.id])
    points = {point.archive.id: point for point in memory.tarkeep.load_points("document").all()}
    assert points[child.id].link.parent == archive.id
    assert points[child.id].evidence.value == "proven"
    assert not points[archive.id].archive.has_snapshot


@pytest.mark.parametrize("position", [0, 1 << 20, len(SNAPSHOT) - 1, None])
def test_what_is_not_what_the_dump_left_is_not_given_out(
    memory: InMemory, archive: BackupArchive, position: int | None
) -> None:
    """For any changed byte, or a lost file: no whole file is given, a notice is sent, and the base moves on."""
    rotten = bytearray(SNAPSHOT)
    if position is not None:
        rotten[position] ^= 1
    memory.store.archives[archive.id].snapshot = None if position is None else bytes(rotten)

    given: list[bytes] = []
    with pytest.raises(SnapshotNotFound, match="damaged or lost"):
        read(memory, archive.id, given.append)

    assert sum(map(len, given)) < len(SNAPSHOT)
    assert [id for id, _ in memory.notices.told] == [str(archive.id)]
    assert memory.tarkeep.load_points("document").base(BackupType.INC, with_snapshot=True) is None
    assert memory.tarkeep.load_points("document").base(BackupType.INC) is not None
    with pytest.raises(SnapshotNotFound, match="no snapshot file"):
        memory.tarkeep.read_snapshot(archive.id)


def test_the_right_one_sent_again_repairs_it(memory: InMemory, archive: BackupArchive) -> None:
    """Also before the damage is noticed; a file that the dump did not leave is still refused."""
    memory.store.archives[archive.id].snapshot = b"rotten"
    with pytest.raises(SnapshotNotFound):
        read(memory, archive.id)
    with pytest.raises(DigestMismatch):
        memory.tarkeep.keep_snapshot(archive.id, [b"another"])

    assert memory.tarkeep.keep_snapshot(archive.id, [SNAPSHOT]) is True
    assert read(memory, archive.id) == SNAPSHOT
    memory.store.archives[archive.id].snapshot = b"rotten"
    assert memory.tarkeep.keep_snapshot(archive.id, [SNAPSHOT]) is False
    assert read(memory, archive.id) == SNAPSHOT


def test_a_rebuild_writes_down_what_older_versions_did_not(memory: InMemory, archive: BackupArchive) -> None:
    """A snapshot file without a digest in the side-car is believed once; from then on it may be lost."""
    stored = memory.store.archives[archive.id]
    memory.store.annotate(archive.id, _without_digest(stored.sidecar), stored.sidecar)

    memory.tarkeep.rebuild()
    memory.store.archives[archive.id].snapshot = None
    memory.tarkeep.rebuild()

    assert memory.catalog.find(archive.id).lineage.snapshot_after == DIGEST


def _without_digest(sidecar: bytes | None) -> bytes:
    assert sidecar is not None
    return encode(evolve(decode(sidecar), lineage=Lineage()))
