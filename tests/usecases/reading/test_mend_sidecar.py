"""Side-cars are believed as far as the bytes agree; losing auxiliary data loses nothing, and nothing is made up."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest
from attrs import evolve

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.domain.archives.archive import ArchiveState, BackupArchive, Lineage
from tarkeep.domain.archives.sidecar import decode, encode
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.identity.digests import Digests
from tests.support.archives import digests_of, make_archive, make_targz
from tests.support.assembled import InMemory, offer

CONTENT = make_targz({"noise": random.Random(1).randbytes(3000)})
OTHER = bytes(reversed(CONTENT))
PARENT = Lineage((BackupType.FULL, "parent.tar.gz"), "0a" * 32, "1b" * 32)


@pytest.fixture
def memory() -> InMemory:
    return InMemory()


@pytest.fixture
def archive(memory: InMemory) -> BackupArchive:
    sent = evolve(offer(type=BackupType.INC), lineage=evolve(PARENT, parent=None))
    return memory.tarkeep.receive(sent, [CONTENT]).archive


def lose_catalog(memory: InMemory) -> None:
    memory.catalog = MemoryCatalog()


def sidecar_of(memory: InMemory, archive: BackupArchive) -> bytes:
    sidecar = memory.store.archives[archive.id].sidecar
    assert sidecar is not None
    return sidecar


def put_sidecar(memory: InMemory, archive: BackupArchive, sidecar: bytes | None) -> None:
    memory.store.archives[archive.id].sidecar = sidecar


def differing(one: BackupArchive, other: BackupArchive) -> list[str]:
    """The members in which their side-cars differ."""
    first, second = json.loads(encode(one)), json.loads(encode(other))
    return [name for name in first if name != "sum" and first[name] != second[name]]


def without_sum(sidecar: bytes) -> bytes:
    head, _, _ = sidecar.rpartition(b',\n  "sum"')
    return head + b"\n}\n"


def changed_digit(sidecar: bytes, digest: str) -> bytes:
    return sidecar.replace(digest.encode(), digest.encode()[:-1] + (b"0" if digest[-1] != "0" else b"1"), 1)


@pytest.mark.parametrize("which", ["md5", "sha256"])
@pytest.mark.parametrize("has_catalog", [True, False])
def test_a_changed_digit_of_a_digest_is_mended(
    memory: InMemory, archive: BackupArchive, which: str, has_catalog: bool
) -> None:
    """By any rebuild, because the check sum shows the change; it is reported once, and then all is as before."""
    whole = sidecar_of(memory, archive)
    put_sidecar(memory, archive, changed_digit(whole, getattr(archive.digests, which)))
    if not has_catalog:
        lose_catalog(memory)

    report = memory.tarkeep.rebuild()

    assert [id for id, _ in report.mended] == [archive.id]
    assert not report.is_good
    assert memory.catalog.find(archive.id) == archive
    assert sidecar_of(memory, archive) == whole
    assert memory.tarkeep.rebuild(check=True).is_good


@pytest.mark.parametrize("which", ["md5", "sha256"])
def test_a_wrong_digest_without_a_sum_is_found_by_a_check(memory: InMemory, archive: BackupArchive, which: str) -> None:
    """A rebuild without a check believes it; a reader of the archive finds it, and a check mends it."""
    whole = sidecar_of(memory, archive)
    put_sidecar(memory, archive, changed_digit(without_sum(whole), getattr(archive.digests, which)))
    lose_catalog(memory)
    assert memory.tarkeep.rebuild().is_good
    wrong = memory.catalog.find(archive.id)
    assert wrong.digests != archive.digests
    state = memory.tarkeep.examiner.examine(wrong)
    assert state is (ArchiveState.STORED if which == "md5" else ArchiveState.DAMAGED)
    assert ["on record is wrong" in what for _, what in memory.notices.told] == [True]

    report = memory.tarkeep.rebuild(check=True)

    assert [id for id, _ in report.mended] == [archive.id]
    assert memory.catalog.find(archive.id) == archive
    assert sidecar_of(memory, archive) == whole


@pytest.mark.parametrize("has_catalog", [True, False])
def test_any_changed_byte_of_a_side_car_is_reported(
    memory: InMemory, archive: BackupArchive, has_catalog: bool
) -> None:
    """The archive never leaves the catalog; if the catalog is lost, too, the changed member may be wrong."""
    whole = sidecar_of(memory, archive)
    rng = random.Random(1)
    for position in range(0, len(whole), 3):
        changed = bytearray(whole)
        changed[position] ^= 1 << rng.randrange(8)
        put_sidecar(memory, archive, bytes(changed))
        if not has_catalog:
            lose_catalog(memory)

        report = memory.tarkeep.rebuild()

        entry = memory.catalog.find(archive.id)
        if has_catalog or report.is_good:
            assert entry == archive, position
        if not report.is_good:
            assert [id for id, _ in report.mended] == [archive.id]
        assert (entry.digests, entry.contents) == (archive.digests, archive.contents)
        assert entry.state is ArchiveState.STORED
        assert len(differing(entry, archive)) <= (2 if whole[position] in b'\n "' else 1)
        assert memory.tarkeep.rebuild().is_good


@pytest.mark.parametrize("sidecar", [None, b"", b"{", b"\0" * 300, b"[]"])
@pytest.mark.parametrize("has_catalog", [True, False])
def test_a_side_car_that_is_gone_is_made_anew(
    memory: InMemory, archive: BackupArchive, sidecar: bytes | None, has_catalog: bool
) -> None:
    """With the catalog everything comes back; without it, what the bytes and the name tell."""
    put_sidecar(memory, archive, sidecar)
    if not has_catalog:
        lose_catalog(memory)

    report = memory.tarkeep.rebuild()

    entry = memory.catalog.find(archive.id)
    if has_catalog:
        assert entry == archive
        assert [id for id, _ in report.mended] == [archive.id]
    else:
        assert (entry.digests, entry.contents) == (archive.digests, archive.contents)
        assert [id for id, _ in (report.described if sidecar is None else report.mended)] == [archive.id]
    assert decode(sidecar_of(memory, archive)) == entry


@pytest.mark.parametrize(
    "spoil", [lambda whole: None, lambda whole: b"{", lambda whole: whole.replace(b"INC", b"DIFF")], ids="abc"
)
def test_rotten_bytes_are_not_described_as_good(
    memory: InMemory, archive: BackupArchive, spoil: Callable[[bytes], bytes | None]
) -> None:
    """A lost side-car does not make rotten bytes good: the catalog knows the original digests."""
    put_sidecar(memory, archive, spoil(sidecar_of(memory, archive)))
    memory.store.archives[archive.id].content = OTHER

    report = memory.tarkeep.rebuild()

    assert report.damaged == [archive.id]
    assert memory.catalog.find(archive.id) == evolve(archive, state=ArchiveState.DAMAGED)
    again = memory.tarkeep.receive(evolve(offer(type=BackupType.INC), lineage=archive.lineage), [CONTENT])
    assert again.outcome.value == "repaired"
    assert memory.tarkeep.rebuild(check=True).is_good


def test_without_anything_that_agrees_an_archive_is_left_out(memory: InMemory, archive: BackupArchive) -> None:
    """Neither side-car, catalog nor bytes are credible: the archive stays in the store, and is reported."""
    put_sidecar(memory, archive, b"{")
    memory.store.archives[archive.id].content = OTHER
    lose_catalog(memory)

    report = memory.tarkeep.rebuild()

    assert [id for id, _ in report.left_out] == [archive.id]
    assert report.entered == 0
    assert memory.store.archives[archive.id].content == OTHER


def test_a_doubtful_side_car_says_at_least_what_is_damaged(memory: InMemory, archive: BackupArchive) -> None:
    """Neither of its digests is that of the bytes; the archive is known, and may be sent again."""
    put_sidecar(memory, archive, sidecar_of(memory, archive).replace(b'"notes"', b'"motes"'))
    memory.store.archives[archive.id].content = OTHER
    lose_catalog(memory)

    report = memory.tarkeep.rebuild()

    assert report.damaged == [archive.id]
    assert memory.catalog.find(archive.id).digests == archive.digests


# -- checking --------------------------------------------------------------------------------------------------------


def test_a_check_finds_rot_and_remembers_it(memory: InMemory, archive: BackupArchive) -> None:
    """The archive stays damaged, even if the catalog is lost, until it is repaired."""
    assert memory.tarkeep.rebuild(check=True).is_good
    memory.store.archives[archive.id].content = OTHER
    assert memory.tarkeep.rebuild().is_good

    assert memory.tarkeep.rebuild(check=True).damaged == [archive.id]
    lose_catalog(memory)
    assert memory.tarkeep.rebuild().damaged == [archive.id]
    memory.store.archives[archive.id].content = CONTENT
    assert memory.tarkeep.rebuild(check=True).is_good
    assert memory.catalog.find(archive.id) == archive


def test_what_a_reader_marked_outlives_the_catalog(memory: InMemory, archive: BackupArchive) -> None:
    """The side-car records it; after the archive is sent again, the side-car says that it is whole."""
    memory.store.archives[archive.id].content = OTHER
    assert memory.tarkeep.examiner.examine(archive) is ArchiveState.DAMAGED
    lose_catalog(memory)
    assert memory.tarkeep.rebuild().damaged == [archive.id]

    memory.tarkeep.receive(evolve(offer(type=BackupType.INC), lineage=archive.lineage), [CONTENT])
    assert decode(sidecar_of(memory, archive)) == archive
    memory.catalog.mark(archive.id, ArchiveState.DAMAGED)
    assert memory.tarkeep.examiner.examine(archive) is ArchiveState.STORED
    assert decode(sidecar_of(memory, archive)) == archive


def test_a_check_reports_where_the_catalog_was_wrong(memory: InMemory, archive: BackupArchive) -> None:
    """For a flipped bit in the catalog, or an archive gone from the store; afterwards the catalog is right."""
    memory.catalog.replace([evolve(archive, taken_at=make_archive().received_at.replace(year=2001))])
    assert memory.tarkeep.rebuild(check=True).otherwise == [archive.id]
    assert memory.tarkeep.rebuild(check=True).is_good
    memory.catalog.replace([evolve(archive, digests=Digests("0" * 32, "0" * 64))])
    assert memory.tarkeep.rebuild(check=True).otherwise == [archive.id]
    assert memory.catalog.find(archive.id).digests == digests_of(CONTENT)
    del memory.store.archives[archive.id]
    assert memory.tarkeep.rebuild().fewer == [("document", BackupType.INC, 1, 0)]


def test_encoding_says_damaged_and_nothing_else_of_a_state() -> None:
    """The side-car of a stored archive is the same as before states were recorded."""
    archive = make_archive()
    assert b"state" not in encode(archive)
    damaged = evolve(archive, state=ArchiveState.DAMAGED)
    assert decode(encode(damaged)) == damaged
    assert decode(encode(evolve(archive, state=ArchiveState.TRASHED))) == archive
