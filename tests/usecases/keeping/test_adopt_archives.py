"""A lost catalog is noticed at the next start: the store's archives are entered, or the start is refused."""

from __future__ import annotations

import random

import pytest
from attrs import evolve

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.held_archives import HeldArchive
from tarkeep.domain.archives.archive import ArchiveState, BackupArchive
from tarkeep.domain.errors.settings import CatalogLacks
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.scrubbing.findings import MISSING
from tests.support.archives import make_targz
from tests.support.assembled import InMemory, offer
from tests.support.catalogs import all_archives

CONTENT = make_targz()


@pytest.fixture
def memory() -> InMemory:
    return InMemory()


@pytest.fixture
def stored(memory: InMemory) -> list[BackupArchive]:
    """Archives of two profiles and three types."""
    return [
        memory.tarkeep.receive(offer(f"a{number}.tar.gz", profile=f"p{number % 2}", type=type), [CONTENT]).archive
        for number in range(4)
        for type in BackupType
    ]


def start(memory: InMemory, limit: int = 100) -> tuple[int, list[ArchiveId]]:
    memory.tarkeep.recover()
    report = evolve(memory.tarkeep.adopt_archives, limit=limit)()
    return report.adopted, report.unclear


def test_nothing_is_done_where_nothing_is_lost(memory: InMemory, stored: list[BackupArchive]) -> None:
    """No archive is read, either: names are enough."""
    before = all_archives(memory.catalog)
    for held in memory.store.archives.values():
        held.sidecar = b"{"

    assert start(memory) == (0, [])
    assert all_archives(memory.catalog) == before


@pytest.mark.parametrize("kept", [0, 1, 5, 11])
def test_what_the_catalog_lost_is_entered_again(memory: InMemory, stored: list[BackupArchive], kept: int) -> None:
    """Whether all of it is lost, or an older copy lacks some; the catalog is then as it was."""
    before = {archive.id: archive for archive in all_archives(memory.catalog)}
    memory.catalog = MemoryCatalog()
    memory.catalog.adopt(random.Random(kept).sample(stored, kept))

    assert start(memory) == (len(stored) - kept, [])
    assert {archive.id: archive for archive in all_archives(memory.catalog)} == before
    assert start(memory) == (0, [])


def test_more_than_the_limit_are_refused(memory: InMemory, stored: list[BackupArchive]) -> None:
    """No archive is entered then, not even a few."""
    memory.catalog = MemoryCatalog()
    with pytest.raises(CatalogLacks, match=r"holds 12 archives .* more than 11 "):
        start(memory, limit=11)

    assert all_archives(memory.catalog) == []
    assert start(memory, limit=12) == (12, [])


def test_a_damaged_archive_stays_damaged(memory: InMemory, stored: list[BackupArchive]) -> None:
    """By its side-car, or by its length; the others are whole."""
    marked, cut = stored[:2]
    memory.tarkeep.examiner.found(marked, MISSING)
    memory.store.archives[cut.id].content = CONTENT[:-1]
    memory.catalog = MemoryCatalog()

    start(memory)

    damaged = {a.id for a in all_archives(memory.catalog) if a.state is ArchiveState.DAMAGED}
    assert damaged == {marked.id, cut.id}


def test_an_archive_without_a_good_side_car_waits_for_a_rebuild(memory: InMemory, stored: list[BackupArchive]) -> None:
    """A start does not read archives; each start reports the unclear ones."""
    by_hand = ArchiveId("p0", BackupType.FULL, "by-hand.tar.gz")
    memory.store.archives[by_hand] = HeldArchive(CONTENT, None)
    memory.store.archives[stored[0].id].sidecar = b"{"
    memory.catalog = MemoryCatalog()

    assert start(memory) == (len(stored) - 1, sorted([stored[0].id, by_hand]))
    assert start(memory) == (0, sorted([stored[0].id, by_hand]))
    report = memory.tarkeep.rebuild()
    assert (len(report.described), len(report.mended)) == (1, 1)
    assert start(memory) == (0, [])


def test_a_renamed_archive_is_noticed(memory: InMemory, stored: list[BackupArchive]) -> None:
    """The number of archives does not change: the old name is damaged, and the new one has no side-car."""
    was, renamed = stored[0].id, ArchiveId("p0", BackupType.FULL, "renamed.tar.gz")
    memory.store.archives[renamed] = HeldArchive(memory.store.archives.pop(was).content, None)

    assert start(memory) == (0, [renamed])
    assert memory.catalog.find(was).state is ArchiveState.DAMAGED
    assert memory.notices.told == [(str(was), "its file is missing")]


def test_what_is_gone_from_the_store_is_damaged(memory: InMemory, stored: list[BackupArchive]) -> None:
    """Without any read; also if the last archive of a type is gone."""
    gone = [archive for archive in stored if archive.id.type is BackupType.DIFF]
    for archive in gone:
        del memory.store.archives[archive.id]

    assert start(memory) == (0, [])
    damaged = {a.id for a in all_archives(memory.catalog) if a.state is ArchiveState.DAMAGED}
    assert damaged == {archive.id for archive in gone}
    assert {what for _, what in memory.notices.told} == {"its file is missing"}
    assert len(memory.notices.told) == len(gone)
    start(memory)
    assert len(memory.notices.told) == len(gone)
