"""Listing what is stored, and how much of it."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from ..archives import BackupArchive, BackupType
from ..errors import InsufficientStorage, ProfileNotFound
from ..naming import check_profile
from ..ports import ArchiveStore, Catalog, Page, Totals

READY_FREE_BYTES = 1 << 20
"""With less than this free, a catalog's journal and one small archive may not fit."""


@frozen
class ListArchives:
    """Pages of archives in the order they were received."""

    catalog: Catalog

    def __call__(
        self,
        *,
        profile: str | None = None,
        type: BackupType | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page:
        """
        One page.

        Raises:
            ValueError: *cursor* is not one that a page gave out.
        """
        return self.catalog.page(profile=profile, type=type, cursor=cursor, limit=limit)

    def all(self, *, profile: str | None = None, type: BackupType | None = None) -> Iterator[BackupArchive]:
        """Every archive, fetched in pages of 1,000."""
        cursor = None
        while True:
            page = self(profile=profile, type=type, cursor=cursor, limit=1000)
            yield from page.archives
            cursor = page.next_cursor
            if cursor is None:
                return


@frozen
class Summarise:
    """Counts, bytes and the newest archive, by profile and type."""

    catalog: Catalog

    def __call__(self) -> list[Totals]:
        """One row for each profile and type that holds an archive, in this order."""
        return self.catalog.totals()

    def profile(self, name: str) -> list[Totals]:
        """
        The rows of one profile.

        Raises:
            InvalidName: *name* cannot name a profile.
            ProfileNotFound: it holds nothing.
        """
        rows = self.catalog.totals(check_profile(name))
        if not rows:
            raise ProfileNotFound(name)
        return rows


@frozen
class CheckReadiness:
    """Is the server able to store an archive now?"""

    store: ArchiveStore
    catalog: Catalog

    def __call__(self) -> int:
        """
        Free bytes of the store, after the catalog answered and staging took a byte.

        Raises:
            InsufficientStorage: less than `READY_FREE_BYTES` are free.
            BackendUnavailable, ReadOnly, CatalogBusy: what else keeps it from storing.
        """
        self.catalog.totals()
        with self.store.begin() as writer:
            writer.write(b"\0")
        free_bytes = self.store.usage().free_bytes
        if free_bytes < READY_FREE_BYTES:
            raise InsufficientStorage(READY_FREE_BYTES, free_bytes)
        return free_bytes
