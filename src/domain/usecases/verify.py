"""Comparing a client's inventory with the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from ..archives import BackupType
from ..ports import Catalog
from ..sync import InventoryEntry, SyncReport, compare, same_bytes


@frozen
class VerifyInventory:
    """Say for every archive of either side whether both have it, and the same."""

    catalog: Catalog

    def __call__(self, inventory: Iterable[InventoryEntry], profile: str | None = None) -> SyncReport:
        """
        The report on *inventory* (the client's) against *profile*, or against everything stored.

        Without a profile, archives of the same type and name in several profiles count as one, synced when any of
        them holds the client's bytes: such a client knows nothing of profiles.

        Raises:
            DuplicateEntry: *inventory* names an archive twice in one type.
        """
        local = list(inventory)
        remote = self._stored(profile)
        if profile is None:
            remote = _one_for_each_name(remote, {(entry.type, entry.name): entry for entry in local})
        return compare(remote, local)

    def _stored(self, profile: str | None) -> Iterator[InventoryEntry]:
        cursor = None
        while True:
            page = self.catalog.inventory(profile=profile, cursor=cursor)
            yield from page.entries
            cursor = page.next_cursor
            if cursor is None:
                return


def _one_for_each_name(
    remote: Iterable[InventoryEntry], local: dict[tuple[BackupType, str], InventoryEntry]
) -> Iterator[InventoryEntry]:
    """*remote*, in which equal names follow each other, with one entry a name: one with the client's bytes if any."""
    chosen: InventoryEntry | None = None
    for entry in remote:
        if chosen is None or (chosen.name, chosen.type) != (entry.name, entry.type):
            if chosen is not None:
                yield chosen
            chosen = entry
        else:
            mine = local.get((entry.type, entry.name))
            if mine is not None and same_bytes(mine, entry):
                chosen = entry
    if chosen is not None:
        yield chosen
