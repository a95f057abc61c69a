"""Comparing a client's inventory with the catalog."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from attrs import frozen

from ..access import ANYBODY, Visitor
from ..archives import BackupType
from ..ports import Catalog
from ..sync import InventoryEntry, SyncReport, compare, same_bytes


@frozen
class VerifyInventory:
    """Say for every archive of either side whether both have it, and the same."""

    catalog: Catalog

    def __call__(
        self,
        inventory: Iterable[InventoryEntry],
        profile: str | None = None,
        visitor: Visitor = ANYBODY,
    ) -> SyncReport:
        """
        The report on *inventory* (the client's) against *profile*, or against everything stored that *visitor* sees.

        Without a profile, archives of the same type and name in several profiles count as one, synced when any of
        them holds the client's bytes: such a client knows nothing of profiles.

        Raises:
            DuplicateEntry: *inventory* names an archive twice in one type.
        """
        local = list(inventory)
        remote = self._stored(profile, visitor)
        if profile is None:
            remote = _one_for_each_name(remote, {(entry.type, entry.name): entry for entry in local})
        return compare(remote, local)

    def _stored(self, profile: str | None, visitor: Visitor) -> Iterator[InventoryEntry]:
        if profile is None and visitor.sees_everything:
            return self._inventory(None)
        if profile is None:
            profiles = dict.fromkeys(row.profile for row in self.catalog.totals() if visitor.sees(row.profile))
        else:
            profiles = {profile: None} if visitor.sees(profile) else {}
        # in the order of an inventory of everything: by type and name, equal ones by profile
        return heapq.merge(*map(self._inventory, profiles), key=lambda entry: (entry.type.value, entry.name))

    def _inventory(self, profile: str | None) -> Iterator[InventoryEntry]:
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
            # one that has the client's bytes, whole if there is one
            if mine is not None and same_bytes(mine, entry) and (chosen.is_damaged or not same_bytes(mine, chosen)):
                chosen = entry
    if chosen is not None:
        yield chosen
