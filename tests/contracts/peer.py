"""What every `Peer` promises."""

from __future__ import annotations

import hashlib
from typing import Protocol

import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import BackupArchive, Lineage
from tarkeep.domain.errors.archives import ArchiveNotFound
from tarkeep.domain.errors.client import Refused
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import Digests
from tarkeep.domain.ports.upkeep.peers import Peer, PeerBytes
from tests.support.archives import make_targz

CONTENT = make_targz({"noise": bytes(range(256)) * 40})
SNAPSHOT = b"a snapshot file of tar" * 99


class PeerDoor(Protocol):
    """A server with back doors; *profile* belongs to one test."""

    @property
    def peer(self) -> Peer: ...

    @property
    def profile(self) -> str: ...

    def lay(self, id: ArchiveId, content: bytes, lineage: Lineage = ..., notes: tuple[str, ...] = ()) -> BackupArchive:
        """Store *content*."""

    def keep(self, id: ArchiveId, snapshot: bytes) -> None:
        """Keep a snapshot file with *id*."""


def all_of(arriving: PeerBytes) -> bytes:
    with arriving as blocks:
        return b"".join(map(bytes, blocks))


class PeerContract:
    """A subclass gives the fixture *door*."""

    def id(self, door: PeerDoor, name: str, type: BackupType = BackupType.FULL) -> ArchiveId:
        return ArchiveId(door.profile, type, f"{name}.tar.gz")

    def test_its_address_is_for_people(self, door: PeerDoor) -> None:
        assert door.peer.shown_url.isprintable()
        assert "@" not in door.peer.shown_url

    def test_archives_are_described_with_all_that_a_copy_needs(self, door: PeerDoor) -> None:
        """In the order of their receipts, whatever their types."""
        digest = hashlib.sha256(SNAPSHOT).hexdigest()
        full = door.lay(self.id(door, "full"), CONTENT, Lineage(snapshot_after=digest))
        door.keep(full.id, SNAPSHOT)
        lineage = Lineage((BackupType.FULL, full.id.name), digest, "ab" * 32)
        inc = door.lay(self.id(door, "inc", BackupType.INC), make_targz(), lineage, ("one file changed",))
        plain = door.lay(self.id(door, "plain"), make_targz({"b": b"b"}))

        page = door.peer.page(door.profile)
        assert [one.id for one in page.archives] == [full.id, inc.id, plain.id]
        shown = [
            (one.size_bytes, one.digests, one.received_at, one.taken_at, one.lineage, one.notes, one.state)
            for one in page.archives
        ]
        assert shown == [
            (one.size_bytes, one.digests, one.received_at, one.taken_at, one.lineage, one.notes, one.state)
            for one in (full, inc, plain)
        ]
        assert [one.has_snapshot for one in page.archives] == [True, False, False]
        assert (page.next_cursor, page.problems) == (None, ())
        assert door.profile in door.peer.profiles()

    def test_a_profile_without_archives_has_an_empty_page(self, door: PeerDoor) -> None:
        page = door.peer.page(door.profile)
        assert (page.archives, page.next_cursor) == ((), None)

    def test_bytes_come_from_any_position(self, door: PeerDoor) -> None:
        archive = door.lay(self.id(door, "a"), CONTENT)

        for start in (0, 1, len(CONTENT) // 2, len(CONTENT) - 1):
            arriving = door.peer.read(archive, start)
            assert arriving.start_bytes == start
            assert all_of(arriving) == CONTENT[start:]

    def test_other_bytes_than_those_that_are_wanted_are_not_given(self, door: PeerDoor) -> None:
        """Nor any of an archive that is not there."""
        archive = door.lay(self.id(door, "a"), CONTENT)

        with pytest.raises(ArchiveNotFound):
            door.peer.read(evolve(archive, digests=Digests("0" * 32, "0" * 64)))
        with pytest.raises(ArchiveNotFound):
            door.peer.read(evolve(archive, id=self.id(door, "b")))

    def test_a_snapshot_file_comes_as_it_is(self, door: PeerDoor) -> None:
        archive = door.lay(self.id(door, "a"), CONTENT, Lineage(snapshot_after=hashlib.sha256(SNAPSHOT).hexdigest()))
        with pytest.raises(Refused):
            door.peer.snapshot(archive)
        door.keep(archive.id, SNAPSHOT)
        assert all_of(door.peer.snapshot(archive)) == SNAPSHOT
