"""Listing stored archives, and how much is stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from attrs import frozen

from ...access.tokens import Principal
from ...archives.totals import Sums, Totals
from ...errors.archives import ProfileNotFound
from ...errors.capacity import InsufficientStorage
from ...identity.archive_id import ArchiveId, BackupType
from ...identity.naming import check_profile
from ...ports.catalog import ArchivePage, Catalog, ListedArchive
from ...ports.store import ArchiveStore
from ...ports.upkeep.scrubs import ScrubTable
from ...scrubbing.unread import LastChecked
from ..access.visible import VisibleProfiles

AT_ONCE = 1000
READY_FREE_BYTES = 1 << 20
"""With fewer free bytes, a catalog's journal and one small archive may not fit."""


@frozen
class ListArchives:
    """Pages of archives in the order they were received."""

    catalog: Catalog
    visible: VisibleProfiles

    def __call__(
        self,
        *,
        profile: str | None = None,
        type: BackupType | None = None,
        cursor: str | None = None,
        limit: int = 100,
        principal: Principal,
    ) -> ArchivePage:
        """
        One page of what *principal* sees: full unless it is the last page, and never followed by an empty one.

        Raises:
            ValueError: *cursor* does not come from a page.
        """
        profiles = _profiles(self.visible, profile, principal)
        return self.catalog.page(profile=profile, profiles=profiles, type=type, cursor=cursor, limit=limit)


@frozen
class ShowChecks:
    """When archives were read again, and how damage of theirs showed."""

    table: ScrubTable

    def __call__(self, ids: Collection[ArchiveId]) -> Mapping[ArchiveId, LastChecked]:
        """What is known of each of *ids*; one that is not stored is missing. *ids* are shown to whoever asks."""
        return self.table.checked(ids)


@frozen
class ListAllArchives:
    """Every archive, in the order in which they were received."""

    catalog: Catalog
    visible: VisibleProfiles

    def __call__(
        self, *, profile: str | None = None, type: BackupType | None = None, principal: Principal
    ) -> Iterator[Sequence[ListedArchive]]:
        """Every archive that *principal* sees, in pages of 1,000; no page is empty."""
        profiles, cursor = _profiles(self.visible, profile, principal), None
        while True:
            page = self.catalog.listed(profile=profile, profiles=profiles, type=type, cursor=cursor, limit=AT_ONCE)
            if page.archives:
                yield page.archives
            cursor = page.next_cursor
            if cursor is None:
                return


def _profiles(visible: VisibleProfiles, profile: str | None, principal: Principal) -> Collection[str] | None:
    """Which profiles a list has beside the filter *profile*; None is any."""
    if profile is None:
        return visible(principal)
    return None if principal.sees(profile) else ()


@frozen
class Summarise:
    """Counts, bytes and the newest archive, by profile and type."""

    catalog: Catalog
    visible: VisibleProfiles

    def __call__(self, *, principal: Principal) -> list[Totals]:
        """One row for each profile and type that holds an archive and that *principal* sees, ordered by both."""
        return self.catalog.totals(profiles=self.visible(principal))


@frozen
class SummariseTypes:
    """Counts, bytes and the newest archive, by type."""

    catalog: Catalog
    visible: VisibleProfiles

    def __call__(self, *, principal: Principal) -> dict[BackupType, Sums]:
        """The sums of each type, over all that *principal* sees."""
        return self.catalog.sums(self.visible(principal))


@frozen
class SummariseProfile:
    """Counts, bytes and the newest archive of one profile, by type."""

    catalog: Catalog

    def __call__(self, name: str) -> list[Totals]:
        """
        One row for each type of which the profile holds an archive.

        Raises:
            InvalidName: *name* cannot name a profile.
            ProfileNotFound: the profile holds no archive.
        """
        rows = self.catalog.totals(check_profile(name))
        if not rows:
            raise ProfileNotFound(name)
        return rows


@frozen
class CheckReadiness:
    """
    Can the server store an archive now?

    *check_schema* raises BackendUnavailable if a newer version made the catalog one that this version may not use.
    """

    store: ArchiveStore
    catalog: Catalog
    check_schema: Callable[[], None]

    def __call__(self) -> int | None:
        """
        Free bytes of the store, None where no end of it is known, after the catalog and the store have answered and
        staging has taken a byte.

        Raises:
            InsufficientStorage: less than `READY_FREE_BYTES` are free.
            BackendUnavailable, ReadOnly, CatalogBusy: the store or the catalog cannot be written.
        """
        self.check_schema()
        self.catalog.sums()
        self.store.check()
        with self.store.begin() as writer:
            writer.write(b"\0")
        free_bytes = self.store.usage().free_bytes
        if free_bytes is not None and free_bytes < READY_FREE_BYTES:
            raise InsufficientStorage(READY_FREE_BYTES, free_bytes)
        return free_bytes
