"""Back doors of a store in memory."""

from __future__ import annotations

from tarkeep.adapters.memory.store import MemoryArchiveStore


def reopened(store: MemoryArchiveStore) -> MemoryArchiveStore:
    """The store as the next process finds it: the archives, and in staging the remains of open writers."""
    successor = MemoryArchiveStore(store._clock, store.free_bytes)
    with store._lock:
        successor.archives.update(store.archives)
        successor.in_trash.update(store.in_trash)
        successor._staging.update(store._staging)
    return successor


def staging_is_empty(store: MemoryArchiveStore) -> bool:
    return not store._staging
