"""Rebuilding: the catalog is only an index, and the store holds everything."""

from __future__ import annotations

import hashlib
import random
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve

from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.adapters.memory.held_archives import HeldArchive
from tarkeep.adapters.memory.member_records import MemoryMemberRecords
from tarkeep.adapters.memory.upkeep.evidence_log import MemoryEvidenceLog
from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.adapters.process.hashing import HashlibHasher
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.targz.inspector import TargzInspector
from tarkeep.domain.archives.archive import ArchiveState, BackupArchive, Lineage
from tarkeep.domain.archives.sidecar import encode
from tarkeep.domain.errors.capacity import BackendUnavailable
from tarkeep.domain.errors.settings import CatalogStaysDamaged, FormatUnknown
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.ports.catalog import Catalog
from tarkeep.domain.tarkeep_error import TarkeepError
from tarkeep.domain.usecases.keeping.proven_before import RecallProofs
from tarkeep.domain.usecases.keeping.rebuild import RebuildCatalog
from tarkeep.domain.usecases.reading.mend_sidecar import MendSidecar
from tarkeep.entrypoints.cli.terminal.hints import in_full
from tests.support.archives import NOON, SNAPSHOT, digests_of, make_archive, make_targz
from tests.support.assembled import InMemory, offer
from tests.support.claims import LEASE
from tests.support.clocks import FixedClock

CONTENT = make_targz()


@pytest.fixture
def memory() -> InMemory:
    return InMemory()


def nothing_proven(catalog: SqlCatalog) -> RecallProofs:
    return RecallProofs(MemoryEvidenceLog(), catalog.scrubs, catalog.drills)


def everything(catalog: Catalog) -> list[BackupArchive]:
    found: list[BackupArchive] = []
    cursor = None
    while True:
        page = catalog.page(cursor=cursor, limit=1000)
        found += page.archives
        cursor = page.next_cursor
        if cursor is None:
            return found


def test_ten_thousand_archives_on_disk_come_back_equal(tmp_path: Path) -> None:
    """Lose the catalog, rebuild it from the store: every entry, its times and its order are as before."""
    store = FilesystemArchiveStore.open(tmp_path / "data", ids=RandomIds())
    lost = SqlCatalog.open(f"sqlite:///{tmp_path}/lost.sqlite")
    archives = []
    for number in range(10_000):
        content = b"archive %d" % number
        archive = make_archive(
            f"inc {number:05}.tar.gz",
            profile=f"profile-{number % 7}",
            type=list(BackupType)[number % 3],
            content=content,
            received_at=NOON.replace(hour=number // 3600, minute=number // 60 % 60, second=number % 60),
        )
        directory = tmp_path / "data" / "archives" / archive.id.profile / archive.id.type.value
        directory.mkdir(parents=True, exist_ok=True)
        (directory / archive.id.name).write_bytes(content)
        (directory / f"{archive.id.name}.json").write_bytes(encode(archive))
        archives.append(archive)
    lost.adopt(archives)
    rebuilt = SqlCatalog.open(f"sqlite:///{tmp_path}/rebuilt.sqlite")

    hasher = HashlibHasher()
    mend = MendSidecar(store, rebuilt, hasher, TargzInspector(), FixedClock())
    report = RebuildCatalog(store, rebuilt, hasher, mend, MemoryMemberRecords(), nothing_proven(rebuilt))()

    assert report.entered == 10_000
    assert everything(rebuilt) == everything(lost)
    assert rebuilt.totals() == lost.totals()
    for each in (store, lost, rebuilt):
        each.close()


def test_what_was_in_the_catalog_before_is_gone(memory: InMemory) -> None:
    """Rows without bytes and claims of dead receives do not outlive a rebuild."""
    memory.catalog.adopt([make_archive("ghost.tar.gz")])
    memory.catalog.claim(make_archive("claimed.tar.gz"), LEASE)
    kept = memory.tarkeep.receive(offer(), [CONTENT]).archive

    report = memory.tarkeep.rebuild()

    assert report.entered == 1
    assert report.fewer == [("document", BackupType.FULL, 2, 1)]
    assert everything(memory.catalog) == [kept]
    assert memory.catalog.open_claims() == []


def test_an_archive_without_a_side_car_is_described_and_gets_one(memory: InMemory) -> None:
    """A file put into the store by hand is adopted, and the next rebuild knows it."""
    id = ArchiveId("document", BackupType.FULL, "full_2025-11-21_09-07-19.tar.gz")
    memory.store.archives[id] = HeldArchive(CONTENT, None)

    report = memory.tarkeep.rebuild()

    archive = memory.catalog.find(id)
    assert report.described == [(id, "described anew, had no side-car")]
    assert archive.digests == digests_of(CONTENT)
    assert archive.contents is not None
    assert archive.taken_at.year == 2025
    assert memory.store.stat(id).sidecar == encode(archive)
    assert memory.tarkeep.rebuild().described == []


def test_an_archive_that_cannot_be_inspected_is_taken_in_all_the_same(memory: InMemory) -> None:
    """A file in the store is a person's backup: it is listed, with everything that is known of it."""
    id = ArchiveId("document", BackupType.FULL, "encrypted.tar.gz")
    memory.store.archives[id] = HeldArchive(b"not a gzip at all", None)

    memory.tarkeep.rebuild()

    assert memory.catalog.find(id).contents is None
    assert memory.catalog.find(id).digests == digests_of(b"not a gzip at all")


def test_an_archive_of_another_length_is_entered_as_damaged(memory: InMemory) -> None:
    """The record keeps its original size, and its state says that it is damaged."""
    archive = memory.tarkeep.receive(offer(), [CONTENT]).archive
    memory.store.archives[archive.id].content = CONTENT[:-1]

    report = memory.tarkeep.rebuild()

    assert report.damaged == [archive.id]
    assert memory.catalog.find(archive.id) == evolve(archive, state=ArchiveState.DAMAGED)


def test_a_snapshot_file_that_was_damaged_takes_no_proof_away(memory: InMemory) -> None:
    """The digest in the side-car counts, and a file with another digest is not given out."""
    digest = hashlib.sha256(SNAPSHOT).hexdigest()
    sent = evolve(offer(), lineage=Lineage(snapshot_after=digest))
    archive = memory.tarkeep.receive(sent, [CONTENT]).archive
    memory.tarkeep.keep_snapshot(archive.id, [SNAPSHOT])

    memory.tarkeep.rebuild()
    assert memory.catalog.find(archive.id) == evolve(archive, has_snapshot=True)

    memory.store.archives[archive.id].snapshot = SNAPSHOT[:-1] + b"x"
    memory.tarkeep.rebuild()
    assert memory.catalog.find(archive.id) == archive
    assert not archive.has_snapshot
    assert archive.lineage.snapshot_after == digest


def test_a_side_car_that_describes_something_else_is_left_out_and_reported(memory: InMemory) -> None:
    """Guessing would be worse than reporting it; the archive stays where it is."""
    moved = ArchiveId("document", BackupType.INC, "moved.tar.gz")
    memory.store.archives[moved] = HeldArchive(b"some bytes", encode(make_archive()))
    unreadable = ArchiveId("document", BackupType.INC, "unreadable.tar.gz")
    memory.store.archives[unreadable] = HeldArchive(b"some bytes", b"{")

    report = memory.tarkeep.rebuild()

    assert [id for id, _ in report.left_out] == [moved, unreadable]
    assert everything(memory.catalog) == []
    assert len(list(memory.store.scan())) == 2


def test_no_damage_of_the_catalog_is_silent(tmp_path: Path) -> None:
    """
    A flipped bit anywhere in the file: a check reports it, or the catalog's answers have not changed.

    After the repair, or after removing the file when the error asks for it, everything is as before.
    """
    store = FilesystemArchiveStore.open(tmp_path / "data", ids=RandomIds())
    archives = [make_archive(f"inc {number:05}.tar.gz", content=b"archive %d" % number) for number in range(60)]
    for archive in archives:
        directory = tmp_path / "data" / "archives" / archive.id.profile / archive.id.type.value
        directory.mkdir(parents=True, exist_ok=True)
        (directory / archive.id.name).write_bytes(b"archive %d" % int(archive.id.name[4:9]))
        (directory / f"{archive.id.name}.json").write_bytes(encode(archive))
    file = tmp_path / "catalog.sqlite"
    with closing(SqlCatalog.open(f"sqlite:///{file}")) as catalog:
        catalog.adopt(archives)
        asked_for = everything(catalog)
    whole = file.read_bytes()
    draw = random.Random(20261128)
    noticed = 0
    refusals: set[str] = set()
    for page in range(0, len(whole), 4096):
        at = page + draw.randrange(4096)
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << draw.randrange(8)]) + whole[at + 1 :])
        try:
            with closing(SqlCatalog.open(f"sqlite:///{file}")) as catalog:
                is_same = _says(catalog) == asked_for
                mend = MendSidecar(store, catalog, HashlibHasher(), TargzInspector(), FixedClock())
                records, proven = MemoryMemberRecords(), nothing_proven(catalog)
                report = RebuildCatalog(store, catalog, HashlibHasher(), mend, records, proven)(check=True)
                assert is_same or not report.is_good
                assert catalog.is_sound()
                assert everything(catalog) == asked_for
                noticed += not report.is_good
        except (BackendUnavailable, CatalogStaysDamaged, FormatUnknown) as error:
            refusals.add(in_full(error))
            noticed += 1
        for leftover in tmp_path.glob("catalog.sqlite*"):
            leftover.unlink()
    filled = [
        at for at in range(0, len(whole), 4096) if whole.count(0, at, at + 4096) < 2048
    ]  # of empty tables, most is 0
    assert noticed > len(filled) / 2
    assert all("tarkeep rebuild" in refusal for refusal in refusals), refusals
    store.close()


def _says(catalog: Catalog) -> list[BackupArchive] | None:
    """All entries, if single look-ups and pages agree; None if not."""
    try:
        pages = everything(catalog)
        return pages if all(catalog.find(archive.id) == archive for archive in pages) else None
    except TarkeepError:
        return None
