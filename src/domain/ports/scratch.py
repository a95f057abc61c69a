"""More than fits into memory: files for a moment, and inventories put in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from ..archives.inventory import InventoryEntry
from .store import Block


class ScratchFile(AbstractContextManager["ScratchFile", None], Protocol):
    """Bytes that are appended and read again; gone when the context is left. Used by one thread at a time."""

    @property
    def size_bytes(self) -> int: ...

    def append(self, block: Block) -> None:
        """Put *block* behind what is there."""

    def read(self, start: int, size: int) -> bytes:
        """At most *size* bytes from *start* on; fewer only at the end."""


class Scratch(Protocol):
    """Room for what is too long for memory and wanted for a moment only."""

    def file(self) -> ScratchFile:
        """An empty file. Neither a crash nor a file that nobody left outlives the process."""


class InventorySorter(Protocol):
    """Puts inventories of any length in order, in bounded memory."""

    def in_order(self, entries: Iterable[InventoryEntry]) -> AbstractContextManager[Iterator[InventoryEntry]]:
        """
        *entries*, which are read on entering, type by type as `BackupType` has them, and by name within.

        Equal places stay in the order they came in.
        """
