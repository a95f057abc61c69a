"""Settling a claim that was left open."""

from __future__ import annotations

from ...archives import sidecar
from ...archives.archive import BackupArchive
from ...errors.archives import ArchiveNotFound
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore


def settle_claim(claimed: BackupArchive, store: ArchiveStore, catalog: Catalog) -> bool:
    """
    Confirm the open claim on *claimed* if exactly that archive is published whole, else drop it. Returns whether it was
    confirmed.

    An archive under that identity that the claim does not describe stays for a rebuild: this claim may not remove it.
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
