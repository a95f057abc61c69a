"""
Entering snapshot files of tar that a crash left in the store without an entry in the catalog.

One is durable in the store before the catalog hears of it, so after a crash in between the next dump could not start
from it until somebody rebuilt the catalog. At each start the names in the store are held against the catalog; only what
differs is read.
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
        """How many were entered. One that cannot be read is left for later."""
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
            return False  # another than the dump left behind says nothing of the chain
        note_snapshot(archive, digest, self.store, self.catalog)
        return True
