"""Dumps that wait on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from attrs import frozen

from ...archives.archive import Lineage
from ...identity.archive_id import ArchiveId
from .local_archives import LocalArchive


@frozen
class Spooled:
    """A whole dump that lies here, with all that the server is to get with it; *notes* are what it is to say of it."""

    id: ArchiveId
    archive: LocalArchive
    lineage: Lineage
    snapshot: bytes
    notes: tuple[str, ...] = ()


class Spool(Protocol):
    """
    Dumps of one profile that lie on this machine, for one process at a time.

    Every method may raise `LocalDiskFull` and `FolderUnusable`.
    """

    def waiting(self) -> list[Spooled]:
        """The dumps that are whole and described, oldest first. What is neither is removed."""

    def write(self, id: ArchiveId, blocks: Iterable[bytes]) -> LocalArchive:
        """Write what *blocks* yield. Where they raise, so does this, and nothing stays."""

    def describe(self, dump: Spooled) -> None:
        """Keep what the server is to get with a dump that was written: from now on it is waiting."""

    def remove(self, dump: Spooled) -> None:
        """Remove a dump and what was kept with it."""
