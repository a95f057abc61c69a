"""A claim that was left open: finished or given back."""

from __future__ import annotations

from ...archives import sidecar
from ...archives.archive import BackupArchive
from ...errors.archives import ArchiveNotFound
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore


def settle_claim(claimed: BackupArchive, store: ArchiveStore, catalog: Catalog) -> bool:
    """
    Confirm the open claim on *claimed* if exactly that archive is published whole, else drop it; whether it was kept.

    An archive under that identity which the claim does not describe is not ours to remove: it stays for a rebuild.
    """
    try:
        stored = store.stat(claimed.id)
    except ArchiveNotFound:
        store.remove(claimed.id)  # at most a side-car without its archive
        catalog.release(claimed.id)
        return False
    ours = stored.sidecar == sidecar.encode(claimed)
    if ours and stored.size_bytes == claimed.size_bytes:
        catalog.confirm(claimed)
        return True
    if ours:
        store.remove(claimed.id)
    catalog.release(claimed.id)
    return False
