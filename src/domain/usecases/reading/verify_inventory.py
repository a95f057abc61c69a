"""
Comparing a client's inventory with the catalog.

Both may be larger than memory. The client's inventory is sorted first; the catalog's is then read beside it, names
only, and more is looked up for names that both have. If several profiles are compared, each with its own order, their
entries are sorted, too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby, islice
from operator import attrgetter

from attrs import frozen

from ...access.tokens import Principal
from ...archives.inventory import Bucket, InventoryEntry, Judged, bucket_of, missing, once_each, pair, same_bytes
from ...identity.archive_id import ArchiveId, BackupType
from ...ports.catalog import Catalog
from ...ports.scratch import InventorySorter
from ...ports.upkeep.scrubs import ScrubTable
from ..access.visible import VisibleProfiles

_by_name = attrgetter("name")


def _everything() -> None:
    """For comparisons with every profile."""


@frozen
class VerifyInventory:
    """Tell for every archive of either side whether both have it, and the same; compares *at_once* names at a time."""

    catalog: Catalog
    visible: VisibleProfiles
    sorter: InventorySorter
    at_once: int = 5000
    checks: ScrubTable | None = None
    """Knows how damage showed."""

    def __call__(
        self,
        inventory: Iterable[InventoryEntry],
        profile: Callable[[], str | None] = _everything,
        *,
        principal: Principal,
    ) -> Generator[Judged, None, None]:
        """
        Compare *inventory* (the client's) with a profile, or with everything stored that *principal* sees.

        *profile* is called after the last entry: a client may name the profile behind them. Without a profile, archives
        of the same type and name in several profiles count as one, which is synced if any of them has the client's
        bytes: such a client knows nothing of profiles.

        The caller closes the generator, which holds scratch files.

        Raises, while iterating:
            DuplicateEntry: *inventory* names an archive twice in one type.
            Any error that *inventory* raises.

        Cost: O(n log n) time in the entries of both sides, and bounded memory.
        """
        with self.sorter.in_order(inventory) as local:
            yield from self._judged_in_order(local, profile(), principal)

    def _judged_in_order(
        self, local: Iterator[InventoryEntry], profile: str | None, principal: Principal
    ) -> Iterator[Judged]:
        profiles = self._compared(profile, principal)
        if len(profiles) == 1:
            for judged in self._against_one(profiles[0], local):
                yield self._with_damage(judged, profiles)
            return
        everything = (entry for one in profiles for entry in self._inventory(one))
        with self.sorter.in_order(everything) as remote:
            for judged in pair(remote, local, partial(self._pruned, profiles)):
                yield self._with_damage(judged, profiles)

    def _with_damage(self, judged: Judged, profiles: Sequence[str]) -> Judged:
        """*judged*, with what is known of how the damage of its archives shows, in whichever of *profiles* they are."""
        if judged.bucket is not Bucket.DAMAGED or self.checks is None:
            return judged
        ids = [ArchiveId(profile, judged.type, name) for profile in profiles for name in judged.names]
        checked = self.checks.checked(ids)
        known = {id.name: one.fault.value for id in ids if (one := checked.get(id)) is not None and one.fault}
        return judged._replace(damage=known)

    def _pruned(self, profiles: Sequence[str], type: BackupType, entries: Sequence[InventoryEntry]) -> set[str]:
        """The names of *entries*, of one type, whose bytes one of *profiles* had and removed."""
        mine = {entry.name: entry for entry in entries}
        return {
            removed.name
            for profile in profiles
            for removed in self.catalog.removed(profile, type, mine)
            if same_bytes(mine[removed.name], removed) is not False
        }

    def _compared(self, profile: str | None, principal: Principal) -> list[str]:
        if profile is not None:
            return [profile] if principal.sees(profile) else []
        seen = self.visible(principal)
        return sorted(self.visible.all() if seen is None else seen)

    def _inventory(self, profile: str) -> Iterator[InventoryEntry]:
        cursor = None
        while True:
            page = self.catalog.inventory(profile=profile, cursor=cursor, limit=self.at_once)
            yield from page.entries
            cursor = page.next_cursor
            if cursor is None:
                return

    # -- one profile -----------------------------------------------------------------------------------------------

    def _against_one(self, profile: str, local: Iterator[InventoryEntry]) -> Iterator[Judged]:
        by_type = groupby(once_each(local), attrgetter("type"))
        following = next(by_type, None)
        for type in BackupType:
            mine: Iterator[InventoryEntry] = iter(())
            if following is not None and following[0] is type:
                mine = following[1]
            for stored, some in _in_step(self._names(profile, type), _in_parts(mine, self.at_once)):
                yield from self._judged(profile, type, stored, some)
            if following is not None and following[0] is type:
                following = next(by_type, None)

    def _names(self, profile: str, type: BackupType) -> Iterator[list[str]]:
        names = self.catalog.names(profile, type, limit=self.at_once)
        while names:
            yield names
            if len(names) < self.at_once:
                return
            names = self.catalog.names(profile, type, after=names[-1], limit=self.at_once)

    def _judged(
        self, profile: str, type: BackupType, stored: list[str], mine: list[InventoryEntry]
    ) -> Iterator[Judged]:
        """Judge all entries of both sides within the same range of names."""
        here = {entry.name for entry in mine}
        both = here.intersection(stored)
        extra = [name for name in stored if name not in both] if both else stored
        if extra:
            yield Judged(type, Bucket.EXTRA_REMOTE, extra)
        known = {entry.name: entry for entry in self.catalog.look_up(profile, type, both)} if both else {}
        judged: dict[Bucket, list[str]] = {bucket: [] for bucket in Bucket}
        lacking: list[InventoryEntry] = []
        for entry in mine:
            theirs = known.get(entry.name)
            if theirs is None:  # also if it was removed just now
                lacking.append(entry)
            else:
                judged[bucket_of(entry, theirs)].append(entry.name)
        yield from (Judged(type, bucket, names) for bucket, names in judged.items() if names)
        if lacking:
            yield from missing(lacking, partial(self._pruned, (profile,)))


def _in_parts(entries: Iterator[InventoryEntry], length: int) -> Iterator[list[InventoryEntry]]:
    while part := list(islice(entries, length)):
        yield part


def _in_step(
    names: Iterator[list[str]], parts: Iterator[list[InventoryEntry]]
) -> Iterator[tuple[list[str], list[InventoryEntry]]]:
    """*names* and *parts*, both sorted and never empty, cut so that each pair covers the same range of names."""
    stored, mine = next(names, None), next(parts, None)
    while stored is not None and mine is not None:
        last = min(stored[-1], mine[-1].name)
        until, count = bisect_right(stored, last), bisect_right(mine, last, key=_by_name)
        yield stored[:until], mine[:count]
        stored = stored[until:] or next(names, None)
        mine = mine[count:] or next(parts, None)
    while stored is not None:
        yield stored, []
        stored = next(names, None)
    while mine is not None:
        yield [], mine
        mine = next(parts, None)
