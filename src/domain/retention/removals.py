"""What a catalog knows of removed archives, and of those that do not restore."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from ..archives.archive import BackupArchive
from ..archives.inventory import InventoryEntry
from ..identity.archive_id import ArchiveId, BackupType


class Removals(Protocol):
    """
    The entries whose state is *trashed*: archives in the trash, and those whose bytes were removed since.

    Each method is one transaction. Part of `ports.Catalog`.
    """

    def hide(self, id: ArchiveId, version: int) -> int | None:
        """
        Set the state of the entry of *id* to *trashed*, if its profile still has *version* (see `LinkState`).

        Returns the version that follows; None if an archive of the profile came, went or changed meanwhile, and then
        nothing is done.

        Raises:
            ArchiveNotFound: no archive is stored under that identity.
        """

    def trashed(self) -> list[BackupArchive]:
        """Every trashed entry, in the order of `ArchiveId`."""

    def removed(self, profile: str, type: BackupType, names: Collection[str]) -> list[InventoryEntry]:
        """The trashed entries of those *names* that the profile and type have, in any order."""

    def forget(self, id: ArchiveId) -> None:
        """
        Remove the trashed entry of *id*: from then on its identity is free. Any other entry stays, and is no error.
        """

    def broken_since(self, profile: str) -> dict[ArchiveId, datetime]:
        """Since when archives of *profile* are known not to restore."""

    def note_broken(self, profile: str, ids: Collection[ArchiveId], now: datetime) -> None:
        """
        Note that exactly the archives *ids* of *profile* do not restore.

        For those noted before, the earlier time stays; the others are forgotten.
        """
