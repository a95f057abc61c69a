"""
Custody of tar's snapshot files: the next dump starts from the one that is stored, whatever became of the machine.

The digest of a snapshot file is what proves a chain. So a file that is kept with an archive says what that archive left
behind, and one that contradicts what its sender declared is refused.
"""

from __future__ import annotations

from attrs import frozen

from ..archives import ArchiveId
from ..errors import AlreadyPublished, DigestMismatch, SnapshotConflict, SnapshotNotFound
from ..ports import ArchiveStore, Catalog, Hasher
from ..uploads import ChecksumAlgorithm


def snapshot_digest(snapshot: bytes, hasher: Hasher) -> str:
    """The SHA-256 of *snapshot*, in lower-case hex."""
    running = hasher.checksum(ChecksumAlgorithm.SHA256)
    running.update(snapshot)
    return running.digest().hex()


@frozen
class KeepSnapshot:
    """Keep the snapshot file that a dump left behind with the archive it made."""

    store: ArchiveStore
    catalog: Catalog
    hasher: Hasher

    def __call__(self, id: ArchiveId, snapshot: bytes) -> bool:
        """
        Keep *snapshot* with *id*; whether it is new.

        Raises:
            ArchiveNotFound: there is no such archive.
            DigestMismatch: the sender of the archive declared another one.
            SnapshotConflict: another one is kept with it already.
        """
        archive = self.catalog.find(id)
        digest = snapshot_digest(snapshot, self.hasher)
        declared = archive.lineage.snapshot_after
        if archive.has_snapshot and declared != digest:
            raise SnapshotConflict(id)
        if declared is not None and declared != digest:
            raise DigestMismatch("sha256", declared, digest)
        try:
            self.store.keep_snapshot(id, snapshot)
        except AlreadyPublished as error:
            raise SnapshotConflict(id) from error
        self.catalog.note_snapshot(id, digest)
        return not archive.has_snapshot


@frozen
class ReadSnapshot:
    """Give a snapshot file back."""

    store: ArchiveStore
    catalog: Catalog

    def __call__(self, id: ArchiveId) -> bytes:
        """
        Raises:
            ArchiveNotFound, SnapshotNotFound: there is none.
        """
        if not self.catalog.find(id).has_snapshot:
            raise SnapshotNotFound(id)
        return self.store.snapshot(id)
