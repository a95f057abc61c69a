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

from ..archives import ArchiveId, BackupType
from ..errors import TarkeepError
from ..ports import ArchiveStore, Catalog, Hasher
from .snapshots import snapshot_digest


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
        declared = self.catalog.find(id).lineage.snapshot_after
        digest = snapshot_digest(self.store, id, self.hasher)
        if declared not in (None, digest):  # another than the dump left behind says nothing of the chain
            return False
        self.catalog.note_snapshot(id, digest)
        return True
