"""
Custody of tar's snapshot files: the next dump starts from the stored one, even on a new machine.

The digest of a snapshot file is what proves a chain. A file kept with an archive tells what that dump left behind, so
one that contradicts its sender's declaration is refused. The digest is written into the side-car: if the file is lost
or damaged, the chain stays proven, and the right file may be sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from attrs import evolve, frozen

from ...archives import sidecar
from ...archives.archive import BackupArchive
from ...errors.archives import AlreadyPublished, ArchiveNotFound, SnapshotConflict, SnapshotNotFound
from ...identity.archive_id import ArchiveId
from ...identity.invalid import DigestMismatch
from ...ports.catalog import Catalog
from ...ports.inspection import Hasher, RunningChecksum
from ...ports.notifier import Notifier
from ...ports.store import ArchiveReader, ArchiveStore, Block
from ...tarkeep_error import TarkeepError
from ...uploads import ChecksumAlgorithm
from ..reading.hashed import HashedReader
from ..reading.removed_archives import check_not_removed


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
        Keep the snapshot file of *blocks* with *id*. Returns whether it is new. Errors that *blocks* raise pass
        through.

        Raises:
            ArchiveRemoved: it was removed by the policy of its profile.
            ArchiveNotFound: no archive is stored under *id*.
            DigestMismatch: the sender of the archive declared another digest.
            SnapshotConflict: another snapshot file is already kept with it.
        """
        try:
            archive = self.catalog.find(id)
        except ArchiveNotFound:
            check_not_removed(id, self.catalog, self.store)
            raise
        running = self.hasher.checksum(ChecksumAlgorithm.SHA256)
        # if the digest is known, only the right file is accepted, so a different kept file must be damaged
        is_known = archive.lineage.snapshot_after is not None
        try:
            self.store.keep_snapshot(id, _judged(archive, blocks, running), replace=is_known)
        except AlreadyPublished as error:
            raise SnapshotConflict(id) from error
        digest = running.digest().hex()
        note_snapshot(archive, digest, self.store, self.catalog)
        return not archive.has_snapshot


def note_snapshot(archive: BackupArchive, digest: str, store: ArchiveStore, catalog: Catalog) -> None:
    """Record that the snapshot file with *digest* is kept with *archive*: in the side-car, then in the catalog."""
    wanted = sidecar.encode(evolve(archive, lineage=evolve(archive.lineage, snapshot_after=digest)))
    present = store.stat(archive.id).sidecar
    while present != wanted:
        try:
            store.annotate(archive.id, wanted, present)
        except AlreadyPublished:  # a repair gave the archive a new side-car meanwhile
            present = store.stat(archive.id).sidecar
        else:
            break
    catalog.note_snapshot(archive.id, digest)


def _judged(archive: BackupArchive, blocks: Iterable[Block], running: RunningChecksum) -> Iterator[Block]:
    """Passes *blocks* on; raises at their end if they are not the snapshot file that *archive* left behind."""
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
    """Give back a snapshot file, if it is what the dump left behind."""

    store: ArchiveStore
    catalog: Catalog
    hasher: Hasher
    notifier: Notifier

    def __call__(self, id: ArchiveId) -> ArchiveReader:
        """
        The bytes of the file; the caller must leave the reader's context. A damaged file is not offered again.

        Raises:
            ArchiveNotFound, SnapshotNotFound: the archive or its snapshot file is not stored; SnapshotNotFound also in
                place of the last bytes of a damaged file.
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
        note_lost_snapshot(id, self.catalog, self.notifier)
        return SnapshotNotFound(id, is_damaged=True)


def note_lost_snapshot(id: ArchiveId, catalog: Catalog, notifier: Notifier) -> None:
    """Record that the snapshot file of *id* is damaged or lost, so that it is not offered again, and tell."""
    with suppress(TarkeepError):  # if this fails, the next reader records it
        catalog.note_snapshot(id, None)
    notifier.damaged(id, "its snapshot file is damaged or lost; the next dump continues from another archive")
