"""
At start, adding tar's snapshot files to the catalog that a crash left in the store alone.

A snapshot file becomes durable in the store before the catalog learns of it. After a crash in between, the next dump
could not continue from it until the catalog was rebuilt. So each start compares the names in the store with the
catalog, and reads only the files that differ.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import groupby

from attrs import frozen

from ...identity.archive_id import ArchiveId, BackupType
from ...ports.catalog import Catalog
from ...ports.inspection import Hasher
from ...ports.store import ArchiveStore
from ...tarkeep_error import TarkeepError
from ..restoring.snapshots import note_snapshot, snapshot_digest


def _place(id: ArchiveId) -> tuple[str, BackupType]:
    return id.profile, id.type


@frozen
class AdoptSnapshots:
    """Run at start, after `RecoverInterrupted`."""

    store: ArchiveStore
    catalog: Catalog
    hasher: Hasher

    def __call__(self) -> int:
        """Returns how many were added. A snapshot file that cannot be read is left for a later start."""
        adopted = 0
        for (profile, type), ids in groupby(self.store.snapshots(), _place):
            without = self.catalog.names_without_snapshot(profile, type)
            for id in ids:
                if id.name in without:
                    with suppress(TarkeepError):
                        adopted += self._adopt(id)
        return adopted

    def _adopt(self, id: ArchiveId) -> bool:
        archive = self.catalog.find(id)
        digest = snapshot_digest(self.store, id, self.hasher)
        if archive.lineage.snapshot_after not in (None, digest):
            return False  # a file that the dump did not leave behind says nothing of the chain
        note_snapshot(archive, digest, self.store, self.catalog)
        return True
