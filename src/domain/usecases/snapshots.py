"""
Custody of tar's snapshot files: the next dump starts from the one that is stored, whatever became of the machine.

The digest of a snapshot file is what proves a chain. So a file that is kept with an archive says what that archive left
behind, and one that contradicts what its sender declared is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from ..archives import ArchiveId, BackupArchive
from ..errors import AlreadyPublished, DigestMismatch, SnapshotConflict, SnapshotNotFound
from ..ports import ArchiveReader, ArchiveStore, Block, Catalog, Hasher, RunningChecksum
from ..uploads import ChecksumAlgorithm


def snapshot_digest(store: ArchiveStore, id: ArchiveId, hasher: Hasher) -> str:
    """
    The SHA-256 of the snapshot file kept with *id*, in lower-case hex.

    Raises:
        SnapshotNotFound: there is none.
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
        try:
            self.store.keep_snapshot(id, _judged(archive, blocks, running))
        except AlreadyPublished as error:
            raise SnapshotConflict(id) from error
        self.catalog.note_snapshot(id, running.digest().hex())
        return not archive.has_snapshot


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
    """Give a snapshot file back."""

    store: ArchiveStore
    catalog: Catalog

    def __call__(self, id: ArchiveId) -> ArchiveReader:
        """
        Its bytes; the caller leaves the reader's context.

        Raises:
            ArchiveNotFound, SnapshotNotFound: there is none.
        """
        if not self.catalog.find(id).has_snapshot:
            raise SnapshotNotFound(id)
        return self.store.snapshot(id)
