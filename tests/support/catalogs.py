"""Reading a catalog to its end, and counting what its totals should be."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.archives.inventory import InventoryEntry
from tarkeep.domain.archives.totals import Totals
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.ports.catalog import Catalog


def all_archives(
    catalog: Catalog,
    *,
    profile: str | None = None,
    profiles: Collection[str] | None = None,
    type: BackupType | None = None,
    limit: int = 100,
) -> list[BackupArchive]:
    """Every listed archive, page by page; asserts that each page but the last has *limit* entries."""
    page = catalog.page(profile=profile, profiles=profiles, type=type, limit=limit)
    walked = list(page.archives)
    while page.next_cursor is not None:
        assert len(page.archives) == limit
        before = page.next_cursor
        page = catalog.page(profile=profile, profiles=profiles, type=type, cursor=before, limit=limit)
        assert page.next_cursor != before, "the walk does not advance"
        walked += page.archives
    assert len(page.archives) <= limit
    return walked


def all_entries(catalog: Catalog, *, profile: str | None = None, limit: int = 10_000) -> list[InventoryEntry]:
    """The whole inventory, page by page; asserts that each page but the last has *limit* entries."""
    page = catalog.inventory(profile=profile, limit=limit)
    walked = list(page.entries)
    while page.next_cursor is not None:
        assert len(page.entries) == limit
        before = page.next_cursor
        page = catalog.inventory(profile=profile, cursor=page.next_cursor, limit=limit)
        assert page.next_cursor != before, "the walk does not advance"
        walked += page.entries
    assert len(page.entries) <= limit
    return walked


def recounted(archives: Iterable[BackupArchive]) -> list[Totals]:
    """The expected result of `Catalog.totals` if exactly *archives* are listed."""
    groups: dict[tuple[str, str], list[BackupArchive]] = {}
    for archive in archives:
        groups.setdefault((archive.id.profile, archive.id.type.value), []).append(archive)
    return [
        Totals(
            profile=profile,
            type=BackupType(word),
            archives=len(group),
            size_bytes=sum(archive.size_bytes for archive in group),
            newest=max(archive.received_at for archive in group),
        )
        for (profile, word), group in sorted(groups.items())
    ]
