"""Another server in memory: any catalog and any store, as another server would show them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import TracebackType

from attrs import frozen

from ...domain.archives.archive import ArchiveState, BackupArchive
from ...domain.errors.archives import ArchiveNotFound, SnapshotNotFound
from ...domain.errors.client import Refused, ServerUnreachable
from ...domain.ports.catalog import Catalog
from ...domain.ports.store import ArchiveReader, ArchiveStore
from ...domain.ports.upkeep.peers import Peer, PeerAddress, PeerPage

_PAGE = 1000


@frozen
class MemoryPeer:
    """`Peer` of a catalog and a store."""

    catalog: Catalog
    store: ArchiveStore
    page_size: int = _PAGE

    @property
    def shown_url(self) -> str:
        return "memory:"

    def profiles(self) -> list[str]:
        return sorted({row.profile for row in self.catalog.totals()})

    def page(self, profile: str, cursor: str | None = None) -> PeerPage:
        try:
            page = self.catalog.page(profile=profile, cursor=cursor, limit=self.page_size)
        except ValueError as error:
            raise Refused("invalid-parameter", str(error)) from error
        return PeerPage(page.archives, page.next_cursor)

    def read(self, archive: BackupArchive, start: int = 0) -> MemoryPeerBytes:
        stored = self.catalog.find(archive.id)
        if stored.digests.sha256 != archive.digests.sha256:
            raise ArchiveNotFound(str(archive.id))
        if stored.state is ArchiveState.DAMAGED:
            raise Refused("archive-corrupt", f"{archive.id} is damaged")
        return MemoryPeerBytes(start, self.store.read(archive.id, start))

    def snapshot(self, archive: BackupArchive) -> MemoryPeerBytes:
        try:
            return MemoryPeerBytes(0, self.store.snapshot(archive.id))
        except SnapshotNotFound as error:
            raise Refused("not-found", str(error)) from error


@frozen(eq=False)
class MemoryPeerBytes:
    """`PeerBytes` of a reader."""

    start_bytes: int
    _reader: ArchiveReader

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._reader)

    def __enter__(self) -> MemoryPeerBytes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.__exit__(kind, error, trace)


def no_peer(address: PeerAddress) -> AbstractContextManager[Peer]:
    """For a Tarkeep from which no other server can be reached."""
    raise ServerUnreachable(address.url, "there is no way to other servers")
