"""Data too large for memory: temporary files, and sorted inventories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from ..archives.inventory import InventoryEntry
from .store import Block


class ScratchFile(AbstractContextManager["ScratchFile", None], Protocol):
    """Bytes that are appended and read again; gone when the context ends. Used by one thread at a time."""

    @property
    def size_bytes(self) -> int: ...

    def append(self, block: Block) -> None:
        """Append *block*."""

    def read(self, start: int, size: int) -> bytes:
        """At most *size* bytes from *start* on; fewer only at the end."""


class Scratch(Protocol):
    """Temporary room for data that is too large for memory."""

    def file(self) -> ScratchFile:
        """An empty file. It never outlives the process, even after a crash or if its context was not left."""


class InventorySorter(Protocol):
    """Sorts inventories of any length, in bounded memory."""

    def in_order(self, entries: Iterable[InventoryEntry]) -> AbstractContextManager[Iterator[InventoryEntry]]:
        """
        *entries*, read on entering, ordered by type as in `BackupType`, then by name.

        The sort is stable.
        """
