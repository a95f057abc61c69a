"""Every adapter of the port `Peer` against its contract, and the ways to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import count

import pytest
from attrs import evolve, frozen

from tarkeep.adapters.http.connection import HttpConnection
from tarkeep.adapters.http.peer import HttpPeer, opened_peer
from tarkeep.adapters.http.remote import HttpRemote
from tarkeep.adapters.memory.peers import MemoryPeer, no_peer
from tarkeep.domain.archives.archive import BackupArchive, Lineage, Offer
from tarkeep.domain.client.ports.remote import NO_LINEAGE
from tarkeep.domain.errors.client import ServerUnreachable
from tarkeep.domain.errors.settings import InvalidSetting
from tarkeep.domain.identity.archive_id import ArchiveId
from tarkeep.domain.identity.digests import DeclaredDigests
from tarkeep.domain.ports.upkeep.peers import Peer, PeerAddress
from tests.contracts.peer import PeerContract
from tests.support.assembled import InMemory
from tests.support.server import LiveServer, live_server

_numbers = count()


@frozen
class MemoryDoor:
    memory: InMemory
    profile: str = "web"

    @property
    def peer(self) -> Peer:
        return MemoryPeer(self.memory.catalog, self.memory.store)

    def lay(
        self, id: ArchiveId, content: bytes, lineage: Lineage = NO_LINEAGE, notes: tuple[str, ...] = ()
    ) -> BackupArchive:
        self.memory.clock.moment = self.memory.clock.moment.replace(microsecond=next(_numbers))
        return self.memory.tarkeep.receive(Offer(id, lineage=lineage, notes=notes), [content]).archive

    def keep(self, id: ArchiveId, snapshot: bytes) -> None:
        self.memory.tarkeep.keep_snapshot(id, [snapshot])


@frozen
class HttpDoor:
    connection: HttpConnection
    profile: str

    @property
    def peer(self) -> Peer:
        return HttpPeer(self.connection)

    def lay(
        self, id: ArchiveId, content: bytes, lineage: Lineage = NO_LINEAGE, notes: tuple[str, ...] = ()
    ) -> BackupArchive:
        remote = HttpRemote(self.connection)
        stored = remote.put(id, [content], len(content), DeclaredDigests(), lineage, notes=notes)
        return evolve(stored, lineage=lineage, notes=notes)

    def keep(self, id: ArchiveId, snapshot: bytes) -> None:
        path = f"/api/v1/profiles/{id.profile}/archives/{id.type.value}/{id.name}/snapshot"
        self.connection.request("PUT", path, {}, snapshot)


class TestMemoryPeer(PeerContract):
    @pytest.fixture
    def door(self) -> MemoryDoor:
        return MemoryDoor(InMemory())


@pytest.fixture(scope="module")
def first_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("peer") / "data") as server:
        yield server


class TestHttpPeer(PeerContract):
    @pytest.fixture
    def door(self, first_server: LiveServer) -> Iterator[HttpDoor]:
        with closing(HttpConnection(first_server.url)) as connection:
            yield HttpDoor(connection, f"web-{next(_numbers)}")


def test_the_ways_to_servers() -> None:
    """Where there is none, the way there or the first question says so."""
    with pytest.raises(ServerUnreachable), no_peer(PeerAddress("http://127.0.0.1:9")):
        pass
    with opened_peer(PeerAddress("http://127.0.0.1:9")) as peer, pytest.raises(ServerUnreachable):
        peer.profiles()
    with pytest.raises(InvalidSetting), opened_peer(PeerAddress("ftp://127.0.0.1")):
        pass
