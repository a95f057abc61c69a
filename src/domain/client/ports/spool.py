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
    """A whole dump on this machine, with everything to send with it; *notes* are for the server to keep with it."""

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
        """The dumps that are whole and described, oldest first. Any others are removed."""

    def write(self, id: ArchiveId, blocks: Iterable[bytes]) -> LocalArchive:
        """Write *blocks* to a file. Errors that they raise pass through, and no file stays."""

    def describe(self, dump: Spooled) -> None:
        """Keep what is to be sent with a written dump: from now on it is waiting."""

    def remove(self, dump: Spooled) -> None:
        """Remove a dump and what was kept with it."""
