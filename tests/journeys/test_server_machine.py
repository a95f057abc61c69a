"""
The whole server in one process, under any sequence of receives, faults, crashes and restarts.

The model is a dict of acknowledged archives. After every step: every acknowledged archive is listed and reads back
byte-identical; every listed archive is whole; store and catalog name the same archives; no other files exist.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.access.tokens import ANONYMOUS
from tarkeep.domain.archives.archive import ArchiveState
from tarkeep.domain.archives.inventory import InventoryEntry, SyncReport
from tarkeep.domain.errors.archives import NameConflict
from tarkeep.domain.errors.content import RejectedContent, UploadInterrupted
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.invalid import DigestMismatch
from tarkeep.domain.ports.catalog import Catalog
from tarkeep.domain.usecases.receiving.outcome import ReceiveOutcome
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.archives import digests_of, make_targz
from tests.support.assembled import Crash, Fuse, assembled, cut_off, offer, pieces
from tests.support.clocks import FixedClock
from tests.support.store_doors import FilesystemDoor, MemoryDoor, StoreDoor

CONTENTS = [make_targz({"file": bytes([letter]) * 2000}) for letter in b"abc"]

identities = st.builds(
    ArchiveId, st.sampled_from(["one", "two"]), st.sampled_from(BackupType), st.sampled_from(["a.tar.gz", "b.tar.gz"])
)
contents = st.sampled_from(CONTENTS)


class ServerMachine(RuleBasedStateMachine):
    """Subclasses choose the adapters of the server with `make_door` and `open_catalog`."""

    def __init__(self) -> None:
        super().__init__()
        self.cleanup = ExitStack()
        self.clock = FixedClock()
        self.stored: dict[ArchiveId, bytes] = {}

    def make_door(self) -> StoreDoor:
        raise NotImplementedError

    def open_catalog(self) -> Catalog:
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        self.door = self.make_door()
        self.catalog = self.open_catalog()
        self.tarkeep = assembled(self.door.store, self.catalog, self.clock)

    def teardown(self) -> None:
        self.cleanup.close()

    @rule(id=identities, content=contents)
    def receive(self, id: ArchiveId, content: bytes) -> None:
        """A whole upload is stored, is a duplicate, or is a conflict; never an overwrite."""
        known = self.stored.get(id, content)
        offered = offer(id.name, profile=id.profile, type=id.type)
        if known != content:
            with pytest.raises(NameConflict) as caught:
                self.tarkeep.receive(offered, pieces(content, 500))
            assert caught.value.existing_sha256 == digests_of(known).sha256
            return
        received = self.tarkeep.receive(offered, pieces(content, 500))
        assert received.outcome is (ReceiveOutcome.DUPLICATE if id in self.stored else ReceiveOutcome.NEW)
        assert received.archive.digests == digests_of(content)
        self.stored[id] = content

    @rule(id=identities, content=contents, after=st.integers(0, 2000))
    def receive_cut_off(self, id: ArchiveId, content: bytes, after: int) -> None:
        """A sender that disconnects changes nothing."""
        with pytest.raises(UploadInterrupted):
            self.tarkeep.receive(offer(id.name, profile=id.profile, type=id.type), cut_off(content, after))

    @rule(id=identities, content=contents, at=st.integers(0, 10_000), bit=st.integers(0, 7))
    def receive_corrupted(self, id: ArchiveId, content: bytes, at: int, bit: int) -> None:
        """One flipped bit under a declared digest changes nothing."""
        flipped = bytearray(content)
        flipped[at % len(content)] ^= 1 << bit
        declared = offer(id.name, profile=id.profile, type=id.type, sha256=digests_of(content).sha256)
        with pytest.raises((DigestMismatch, RejectedContent)):
            self.tarkeep.receive(declared, [bytes(flipped)])

    @rule(id=identities, content=contents, step=st.integers(1, 40))
    def crash_while_receiving(self, id: ArchiveId, content: bytes, step: int) -> None:
        """The process dies at some call of some port; an unacknowledged archive exists whole or not at all."""
        fuse = Fuse(blows_at=step)
        dying = assembled(fuse.around(self.door.store), fuse.around(self.catalog), self.clock)
        try:
            dying.receive(offer(id.name, profile=id.profile, type=id.type), pieces(content, 500))
        except Crash:
            self.restart()
            if id not in self.stored and any(stored.id == id for stored in self.door.store.scan()):
                self.stored[id] = content
        except NameConflict:
            if self.stored[id] == content:
                raise
        else:
            self.stored.setdefault(id, content)

    @rule()
    def restart(self) -> None:
        """The process ends as by SIGKILL; the next one recovers."""
        self.door.crash()
        self.catalog.close()
        self.catalog = self.open_catalog()
        self.tarkeep = assembled(self.door.store, self.catalog, self.clock)
        self.tarkeep.recover()

    @rule()
    def lose_the_catalog(self) -> None:
        """The catalog is an index: rebuilding brings everything back."""
        self.catalog.replace([])
        assert self.tarkeep.rebuild().entered == len(self.stored)

    @rule(id=identities)
    def damage(self, id: ArchiveId) -> None:
        """A shortened archive is noticed when it is read, and sending it again repairs it."""
        if id not in self.stored:
            return
        archive = self.catalog.find(id)
        self.door.shorten(id, archive.size_bytes // 2)
        with pytest.raises(Exception, match="damaged"):
            self.tarkeep.read_archive(archive)
        assert self.catalog.find(id) == evolve(archive, state=ArchiveState.DAMAGED)
        repaired = self.tarkeep.receive(offer(id.name, profile=id.profile, type=id.type), [self.stored[id]])
        assert repaired.outcome is ReceiveOutcome.REPAIRED

    @invariant()
    def what_was_acknowledged_is_there_and_nothing_else(self) -> None:
        if not hasattr(self, "tarkeep"):
            return
        ids = [
            ArchiveId(one.profile, one.type, one.name)
            for page in self.tarkeep.list_all_archives(principal=ANONYMOUS)
            for one in page
        ]
        listed = {id: self.catalog.find(id) for id in ids}
        assert listed.keys() == self.stored.keys()
        assert [stored.id for stored in self.door.store.scan()] == sorted(self.stored)
        for id, archive in listed.items():
            with self.tarkeep.read_archive(archive) as reader:
                assert b"".join(reader) == self.stored[id]
        assert self.door.staging_is_empty()
        assert self.catalog.open_claims() == []

    @invariant()
    def a_client_that_has_it_all_is_synchronized(self) -> None:
        if not hasattr(self, "tarkeep"):
            return
        for profile in ("one", "two"):
            mine = [
                InventoryEntry(id.type, id.name, len(content), sha256=digests_of(content).sha256)
                for id, content in self.stored.items()
                if id.profile == profile
            ]
            assert SyncReport.of(self.tarkeep.verify(mine, partial(str, profile), principal=ANONYMOUS)).is_synchronized

    tarkeep: Tarkeep


class InMemoryMachine(ServerMachine):
    """On the memory adapters; the catalog is the same object after a restart."""

    def make_door(self) -> StoreDoor:
        self.kept = MemoryCatalog()
        return MemoryDoor()

    def open_catalog(self) -> Catalog:
        return self.kept


class OnDiskMachine(ServerMachine):
    """On a data directory and an SQLite file."""

    def make_door(self) -> StoreDoor:
        self.path = Path(self.cleanup.enter_context(tempfile.TemporaryDirectory()))
        door = FilesystemDoor(self.path / "data")
        self.cleanup.callback(lambda: self.door.close())
        self.cleanup.callback(lambda: self.catalog.close())
        return door

    def open_catalog(self) -> Catalog:
        return SqlCatalog.open(f"sqlite:///{self.path}/catalog.sqlite")


TestInMemory = InMemoryMachine.TestCase
TestInMemory.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
# a process that dies closes none of its files, and in this test that process is this one
TestOnDisk = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")(OnDiskMachine.TestCase)
TestOnDisk.settings = settings(
    max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
