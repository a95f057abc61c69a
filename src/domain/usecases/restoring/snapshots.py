"""
Custody of tar's snapshot files: the next dump starts from the one that is stored, whatever became of the machine.

The digest of a snapshot file is what proves a chain. So a file that is kept with an archive says what that archive left
behind, and one that contradicts what its sender declared is refused. The digest is written into the side-car: should
the file be lost or damaged, the chain is as proven as before, and the right file may be sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from attrs import evolve, frozen

from ...archives import sidecar
from ...archives.archive import BackupArchive
from ...errors.archives import AlreadyPublished, SnapshotConflict, SnapshotNotFound
from ...identity.archive_id import ArchiveId
from ...identity.invalid import DigestMismatch
from ...ports.catalog import Catalog
from ...ports.inspection import Hasher, RunningChecksum
from ...ports.notifier import Notifier
from ...ports.store import ArchiveReader, ArchiveStore, Block
from ...tarkeep_error import TarkeepError
from ...uploads import ChecksumAlgorithm
from ..reading.hashed import HashedReader


def snapshot_digest(store: ArchiveStore, id: ArchiveId, hasher: Hasher) -> str:
    """
    The SHA-256 of the snapshot file kept with *id*, in lower-case hex.

    Raises:
        SnapshotNotFound: no snapshot file is kept with the archive.
    """
    running = hasher.checksum(ChecksumAlgorithm.SHA256)
    with store.snapshot(id) as blocks:
        for block in blocks:
            running.update(block)
    return running.digest().hex()


@frozen
class KeepSnapshot:
    """Keep the snapshot file that a dump left behind with the archive it made."""

    store: ArchiveStore
    catalog: Catalog
    hasher: Hasher

    def __call__(self, id: ArchiveId, blocks: Iterable[Block]) -> bool:
        """
        Keep the snapshot file of *blocks* with *id*; whether it is new. What *blocks* raise comes through.

        Raises:
            ArchiveNotFound: there is no such archive.
            DigestMismatch: the sender of the archive declared another one.
            SnapshotConflict: another one is kept with it already.
        """
        archive = self.catalog.find(id)
        running = self.hasher.checksum(ChecksumAlgorithm.SHA256)
        # where it is known what the dump left behind, only that comes through, so whatever else is kept is damaged
        is_known = archive.lineage.snapshot_after is not None
        try:
            self.store.keep_snapshot(id, _judged(archive, blocks, running), replace=is_known)
        except AlreadyPublished as error:
            raise SnapshotConflict(id) from error
        digest = running.digest().hex()
        note_snapshot(archive, digest, self.store, self.catalog)
        return not archive.has_snapshot


def note_snapshot(archive: BackupArchive, digest: str, store: ArchiveStore, catalog: Catalog) -> None:
    """Enter that the snapshot file with *digest* is kept with *archive*: into the side-car, then into the catalog."""
    wanted = sidecar.encode(evolve(archive, lineage=evolve(archive.lineage, snapshot_after=digest)))
    present = store.stat(archive.id).sidecar
    while present != wanted:
        try:
            store.annotate(archive.id, wanted, present)
        except AlreadyPublished:  # the archive was repaired meanwhile, and has a new one
            present = store.stat(archive.id).sidecar
        else:
            break
    catalog.note_snapshot(archive.id, digest)


def _judged(archive: BackupArchive, blocks: Iterable[Block], running: RunningChecksum) -> Iterator[Block]:
    """*blocks* while they pass; an error in the place of the end where they are not what *archive* left behind."""
    for block in blocks:
        running.update(block)
        yield block
    digest, declared = running.digest().hex(), archive.lineage.snapshot_after
    if archive.has_snapshot and declared != digest:
        raise SnapshotConflict(archive.id)
    if declared is not None and declared != digest:
        raise DigestMismatch("sha256", declared, digest)


@frozen
class ReadSnapshot:
    """Give a snapshot file back, if it is what the dump left behind."""

    store: ArchiveStore
    catalog: Catalog
    hasher: Hasher
    notifier: Notifier

    def __call__(self, id: ArchiveId) -> ArchiveReader:
        """
        Its bytes; the caller leaves the reader's context. One that turns out to be damaged is not offered any more.

        Raises:
            ArchiveNotFound, SnapshotNotFound: the archive or its snapshot file is not stored; the latter also in the
                place of the last bytes.
        """
        archive = self.catalog.find(id)
        if not archive.has_snapshot or archive.lineage.snapshot_after is None:
            raise SnapshotNotFound(id)
        try:
            reader = self.store.snapshot(id)
        except SnapshotNotFound:
            raise self._gone(id) from None
        return HashedReader(reader, archive.lineage.snapshot_after, self.hasher, lambda: self._gone(id))

    def _gone(self, id: ArchiveId) -> SnapshotNotFound:
        with suppress(TarkeepError):  # should that fail, the next reader notes it
            self.catalog.note_snapshot(id, None)
        self.notifier.damaged(id, "its snapshot file is damaged or lost; the next dump continues from another archive")
        return SnapshotNotFound(id, is_damaged=True)
