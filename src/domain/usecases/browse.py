"""Listing what is stored, and how much of it."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from ..access import ANYBODY, Visitor
from ..archives import BackupArchive, BackupType
from ..errors import InsufficientStorage, ProfileNotFound
from ..naming import check_profile
from ..ports import ArchiveStore, Catalog, Page, Totals

SCANNED = 1000
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
        visitor: Visitor = ANYBODY,
    ) -> Page:
        """
        One page, of what *visitor* sees: full unless it is the last one, and not followed by one that is empty.

        Raises:
            ValueError: *cursor* is not one that a page gave out.
        """
        if profile is not None and not visitor.sees(profile):
            return Page((), None)
        profile = profile or visitor.only_profile
        if profile is not None or visitor.sees_everything:
            return self.catalog.page(profile=profile, type=type, cursor=cursor, limit=limit)
        return self._visible(visitor, type, cursor, limit)

    def _visible(self, visitor: Visitor, type: BackupType | None, cursor: str | None, limit: int) -> Page:
        found: list[BackupArchive] = []
        end = None
        while True:
            # no more than are wanting, so that the cursor stands behind the last of them; then one more look ahead
            wanted = limit - len(found)
            page = self.catalog.page(type=type, cursor=cursor, limit=wanted or SCANNED)
            visible = [archive for archive in page.archives if visitor.sees(archive.id.profile)]
            if not wanted and visible:
                return Page(tuple(found), end)
            found += visible
            cursor = page.next_cursor
            if cursor is None:
                return Page(tuple(found), None)
            if wanted and len(found) == limit:
                end = cursor

    def all(
        self, *, profile: str | None = None, type: BackupType | None = None, visitor: Visitor = ANYBODY
    ) -> Iterator[BackupArchive]:
        """Every archive that *visitor* sees, fetched in pages of 1,000."""
        cursor = None
        while True:
            page = self(profile=profile, type=type, cursor=cursor, limit=1000, visitor=visitor)
            yield from page.archives
            cursor = page.next_cursor
            if cursor is None:
                return


@frozen
class Summarise:
    """Counts, bytes and the newest archive, by profile and type."""

    catalog: Catalog

    def __call__(self, visitor: Visitor = ANYBODY) -> list[Totals]:
        """One row for each profile and type that holds an archive and that *visitor* sees, in this order."""
        return [row for row in self.catalog.totals() if visitor.sees(row.profile)]

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
