"""The memory server and the memory source, which the client is tested with, keep the contracts of real ones."""

from __future__ import annotations

import itertools

import pytest
from attrs import evolve, field, frozen

from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.identity.archive_id import ArchiveId
from tarkeep.domain.identity.digests import DeclaredDigests
from tests.contracts.client.archive_source import ArchiveSourceContract, SourceDoor
from tests.contracts.client.remote_chains import ChainsDoor, RemoteChainsContract
from tests.contracts.client.remote_store import RemoteDoor, RemoteStoreContract
from tests.support.archives import make_archive
from tests.support.memory_server import MemoryServer
from tests.support.sources import MemorySource

_numbers = itertools.count(1)


@frozen
class _ServerDoor:
    source: MemoryServer = field(factory=MemoryServer, repr=False)
    profile: str = "laptop"

    @property
    def chains(self) -> MemoryServer:
        return self.source

    @property
    def fresh_profile(self) -> str:
        return f"laptop-{next(_numbers)}"

    def lay(self, id: ArchiveId, content: bytes) -> BackupArchive:
        return self.source.put(id, [content], None, DeclaredDigests())

    def bytes_of(self, id: ArchiveId) -> bytes | None:
        return self.source.kept[id].content if id in self.source.kept else None

    def harm(self, archive: BackupArchive) -> None:
        self.source.kept[archive.id] = evolve(self.source.kept[archive.id], content=bytes(archive.size_bytes))

    def is_doubted(self, archive: BackupArchive) -> bool:
        return archive.id in self.source.suspected

    def damage(self, archive: BackupArchive) -> None:
        self.source.damage(archive.id)


@frozen
class _SourceDoor:
    source: MemorySource = field(factory=lambda: MemorySource({}))
    profile: str = "laptop"

    def lay(self, id: ArchiveId, content: bytes) -> BackupArchive:
        self.source.keep(id, content)
        return make_archive(id.name, profile=id.profile, type=id.type, content=content)

    def harm(self, archive: BackupArchive) -> None:
        self.source.contents[archive.id] = bytes(archive.size_bytes)

    def is_doubted(self, archive: BackupArchive) -> bool:
        return archive.id in self.source.suspected


class TestMemorySource(ArchiveSourceContract):
    @pytest.fixture
    def door(self) -> SourceDoor:
        return _SourceDoor()


class TestMemoryServerStores(RemoteStoreContract):
    @pytest.fixture
    def door(self) -> RemoteDoor:
        return _ServerDoor()


class TestMemoryServerKnowsChains(RemoteChainsContract):
    @pytest.fixture
    def door(self) -> ChainsDoor:
        return _ServerDoor()
