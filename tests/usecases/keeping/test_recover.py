"""Recovery: open claims are finished or dropped, and files of other origin stay."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve

from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.held_archives import HeldArchive
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.domain.access.tokens import ANONYMOUS
from tarkeep.domain.archives.archive import ArchiveState, BackupArchive, Lineage
from tarkeep.domain.archives.sidecar import encode
from tarkeep.domain.ports.store import ArchiveStore
from tarkeep.domain.usecases.keeping.recover import RecoveryReport
from tarkeep.domain.usecases.receiving.outcome import ReceiveOutcome
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.archives import make_archive, make_targz
from tests.support.assembled import InMemory, assembled, offer
from tests.support.claims import LEASE, OVER
from tests.support.clocks import FixedClock, SequenceIds
from tests.support.memory_store import reopened, staging_is_empty
from tests.support.store_doors import FilesystemDoor

CONTENT = b"some bytes"


@pytest.fixture
def memory() -> InMemory:
    return InMemory()


@pytest.fixture
def claimed(memory: InMemory) -> BackupArchive:
    archive = make_archive(content=CONTENT)
    memory.catalog.claim(archive, LEASE)
    return archive


def test_a_claim_whose_archive_was_published_is_confirmed(memory: InMemory, claimed: BackupArchive) -> None:
    """It was durable before it was published, so it counts."""
    memory.store.archives[claimed.id] = HeldArchive(CONTENT, encode(claimed))

    report = memory.tarkeep.recover()

    assert report == RecoveryReport(confirmed=1, dropped=0, swept=0)
    assert memory.catalog.find(claimed.id) == claimed


SNAPSHOT = b"GNU tar-1.34-2\n1700000000\x000\x00"
SNAPSHOT_SHA256 = hashlib.sha256(SNAPSHOT).hexdigest()


def disk(tmp_path: Path) -> FilesystemArchiveStore:
    return FilesystemArchiveStore.open(tmp_path / "data", ids=SequenceIds())


@pytest.mark.parametrize("declared", [None, SNAPSHOT_SHA256])
@pytest.mark.parametrize("store", [lambda _: MemoryArchiveStore(FixedClock()), disk])
def test_a_snapshot_file_that_a_crash_left_is_entered(
    tmp_path: Path, store: Callable[[Path], ArchiveStore], declared: str | None
) -> None:
    """It is durable and in place, so the next dump can start from it; other files and archives without one stay."""
    with closing(store(tmp_path)) as opened:
        tarkeep = assembled(opened, MemoryCatalog(), FixedClock())
        lineage = Lineage(snapshot_after=declared)
        kept, noted, plain = (
            tarkeep.receive(evolve(offer(name), lineage=lineage), [make_targz()]).archive.id
            for name in ("kept.tar.gz", "noted.tar.gz", "plain.tar.gz")
        )
        tarkeep.keep_snapshot(noted, [SNAPSHOT])
        opened.keep_snapshot(kept, [SNAPSHOT])

        assert (tarkeep.adopt_snapshots(), tarkeep.adopt_snapshots()) == (1, 0)

        assert [
            tarkeep.find_archive(id.type, id.name, id.profile, principal=ANONYMOUS).has_snapshot
            for id in (kept, noted, plain)
        ] == [
            True,
            True,
            False,
        ]
        assert (
            tarkeep.find_archive(kept.type, kept.name, kept.profile, principal=ANONYMOUS).lineage.snapshot_after
            == SNAPSHOT_SHA256
        )


def test_another_snapshot_file_than_the_dump_left_is_passed_over(memory: InMemory) -> None:
    """It says nothing of the chain, as in a rebuild."""
    declared = evolve(offer(), lineage=Lineage(snapshot_after="0a" * 32))
    id = memory.tarkeep.receive(declared, [make_targz()]).archive.id
    memory.store.keep_snapshot(id, [SNAPSHOT])

    assert memory.tarkeep.adopt_snapshots() == 0
    assert not memory.catalog.find(id).has_snapshot


def test_a_claim_without_its_archive_is_dropped(memory: InMemory, claimed: BackupArchive) -> None:
    """No client was told that it is stored."""
    report = memory.tarkeep.recover()

    assert report == RecoveryReport(confirmed=0, dropped=1, swept=0)
    assert memory.catalog.open_claims() == []


def test_a_published_archive_that_is_not_whole_is_entered_as_damaged(memory: InMemory, claimed: BackupArchive) -> None:
    """Settling removes nothing. It is no archive to rely on, and sending it again repairs it."""
    content = make_targz()
    whole = memory.tarkeep.receive(offer("torn.tar.gz"), [content]).archive
    memory.catalog.mark(whole.id, ArchiveState.TRASHED)
    memory.catalog.forget(whole.id)
    memory.catalog.claim(whole, LEASE)
    memory.store.archives[whole.id].content = content[:-1]

    report = memory.tarkeep.recover()

    assert report == RecoveryReport(confirmed=1, dropped=1, swept=0)
    assert memory.catalog.find(whole.id) == evolve(whole, state=ArchiveState.DAMAGED)
    again = memory.tarkeep.receive(offer("torn.tar.gz"), [content])
    assert again.outcome is ReceiveOutcome.REPAIRED
    assert memory.catalog.find(whole.id) == whole


@pytest.mark.parametrize("sidecar", [None, encode(make_archive(content=b"somebody else's"))])
def test_an_archive_that_is_not_the_claimed_one_stays(
    memory: InMemory, claimed: BackupArchive, sidecar: bytes | None
) -> None:
    """Recovery removes only what a receive of this server left."""
    memory.store.archives[claimed.id] = HeldArchive(b"somebody else's", sidecar)

    memory.tarkeep.recover()

    assert memory.store.stat(claimed.id).size_bytes == len(b"somebody else's")
    assert memory.catalog.open_claims() == []


def test_abandoned_staging_is_swept_whatever_its_clock_said(memory: InMemory) -> None:
    """After a crash all of staging is abandoned, even files that a wrong clock dated into the future."""
    memory.clock.moment = evolve(make_archive()).received_at.replace(year=2090)
    memory.store.begin().write(b"abandoned")
    memory.clock.moment = memory.clock.moment.replace(year=2026)
    memory.store = reopened(memory.store)

    report = memory.tarkeep.recover()

    assert report.swept == 1
    assert staging_is_empty(memory.store)


def test_recovering_again_finds_nothing(memory: InMemory, claimed: BackupArchive) -> None:
    """Recovery is repeatable."""
    memory.tarkeep.recover()

    assert memory.tarkeep.recover() == RecoveryReport(confirmed=0, dropped=0, swept=0)


def test_a_side_car_whose_archive_never_came_is_removed(tmp_path: Path) -> None:
    """A crash between the two links leaves this on a disk. A server that is alone leaves nothing of it."""
    door = FilesystemDoor(tmp_path / "data")
    catalog = MemoryCatalog()
    left = make_archive(content=CONTENT)
    catalog.claim(left, LEASE)
    door.leave_sidecar(left.id)

    with closing(door.store):
        tarkeep = assembled(door.store, catalog, FixedClock())
        tarkeep.recover()

        assert not door.sidecar(left.id).exists()
        assert catalog.open_claims() == []
        received = tarkeep.receive(evolve(offer(), id=left.id), [make_targz()])
        assert (received.outcome, door.sidecar(left.id).read_bytes()) == (ReceiveOutcome.NEW, encode(received.archive))


class TestSeveralServers:
    """What belongs to another server is left alone until its lease has ended."""

    @pytest.fixture
    def shared(self, memory: InMemory) -> Tarkeep:
        return assembled(memory.store, memory.catalog, memory.clock, is_shared=True)

    def test_a_start_settles_no_claims_of_others(
        self, shared: Tarkeep, memory: InMemory, claimed: BackupArchive
    ) -> None:
        """There is no moment at which nobody receives."""
        assert shared.recover() == RecoveryReport(confirmed=0, dropped=0, swept=0)
        assert shared.reap() == RecoveryReport(confirmed=0, dropped=0, swept=0)
        assert memory.catalog.open_claims() == [claimed]

    def test_claims_that_were_left_are_reaped(self, shared: Tarkeep, memory: InMemory) -> None:
        """Those whose archive was published are confirmed, others released; nothing is removed."""
        published, left = make_archive("published.tar.gz", content=CONTENT), make_archive("left.tar.gz")
        for archive in (published, left):
            memory.catalog.claim(archive, OVER)
        memory.store.archives[published.id] = HeldArchive(CONTENT, encode(published))
        memory.store.archives[left.id] = HeldArchive(b"of somebody else", b"another side-car")

        assert shared.reap() == RecoveryReport(confirmed=1, dropped=1, swept=0)

        assert memory.catalog.find(published.id) == published
        assert memory.catalog.open_claims() == []
        assert memory.store.stat(left.id).size_bytes == len(b"of somebody else")

    def test_one_call_reaps_one_batch(self, shared: Tarkeep, memory: InMemory) -> None:
        """So that many servers share the work, and none is busy for long."""
        for number in range(45):
            memory.catalog.claim(make_archive(f"{number}.tar.gz"), OVER)

        assert [shared.reap().dropped for _ in range(4)] == [20, 20, 5, 0]
