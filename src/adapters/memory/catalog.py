"""
The catalog in memory: for tests, and for trying things out.

Dictionaries hold the entries; two sorted lists of positions hold the orderings, so that bisection finds a page.
It keeps the promises of the port, except that nothing survives the process.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Container, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from operator import itemgetter

from attrs import evolve

from ...domain.archives.archive import ArchiveState, BackupArchive
from ...domain.archives.inventory import InventoryEntry
from ...domain.archives.totals import Sums, Totals
from ...domain.errors.archives import ArchiveNotFound
from ...domain.identity.archive_id import ArchiveId, BackupType
from ...domain.ports.catalog import (
    AlreadyStored,
    ArchivePage,
    Claimed,
    ClaimedElsewhere,
    ClaimOutcome,
    Holding,
    InventoryPage,
    Judge,
    ListedArchive,
    ListedPage,
    TakenClaim,
    admits_all,
)
from ...domain.retention.arrival import Arrival, arrival_of
from ...domain.scrubbing.findings import Fault
from ..cursors import after_identity, after_time, read_identity, read_time
from .entries import Entries, identity_key
from .links import MemoryLinks
from .sessions import MemorySessionTable
from .shared.claims import Claims
from .shared.lease_table import MemoryLeaseTable
from .upkeep.arrival_table import MemoryArrivalTable
from .upkeep.drill_table import MemoryDrillTable
from .upkeep.figures import MemoryFigures
from .upkeep.job_table import MemoryJobTable
from .upkeep.notice_table import MemoryNoticeTable
from .upkeep.scrub_table import MemoryScrubTable
from .upkeep.status_table import MemoryStatusTable
from .upkeep.usage_table import MemoryUsageTable


class MemoryCatalog(MemoryLinks):
    """
    A `Catalog` in this process's memory.

    A trashed entry is hidden from `find`, `named`, `page`, `inventory` and `totals`, but keeps its identity taken:
    `claim` answers `AlreadyStored` with it, and `mark` brings it back.
    """

    def __init__(self) -> None:
        super().__init__()
        self._claims = Claims()
        self._entries = Entries()
        self._broken: dict[str, dict[ArchiveId, datetime]] = {}
        self.arrived = MemoryArrivalTable()
        self.leases = MemoryLeaseTable()
        self.jobs = MemoryJobTable(self.leases)
        self.scrubs = scrubs = MemoryScrubTable(self._every_entry)
        self.notices = MemoryNoticeTable()
        self.statuses = MemoryStatusTable(self._versions)
        self.drills = drills = MemoryDrillTable()
        self.figures = MemoryFigures(self, scrubs, drills)
        self.sessions = MemorySessionTable()
        self.used = MemoryUsageTable()

    def claim(self, archive: BackupArchive, lease: timedelta, judge: Judge = admits_all) -> ClaimOutcome:
        with self._lock:
            if archive.id in self._entries.numbered:
                return AlreadyStored(self._entries.numbered[archive.id][1])
            if archive.id in self._claims:
                return ClaimedElsewhere()
            judge(self.holding(archive.id.profile))
            return Claimed(self._claims.enter(archive, lease))

    def holding(self, profile: str) -> Holding:
        with self._lock:
            rows = self.totals(profile)
            stored = Sums(sum(row.archives for row in rows), sum(row.size_bytes for row in rows))
            claims = (claim for claim in self._claims.all() if claim.id.profile == profile)
            return Holding(stored, {claim.id: claim.size_bytes for claim in claims})

    def renew(self, id: ArchiveId, token: str, lease: timedelta) -> None:
        with self._lock:
            self._claims.renew(id, token, lease)

    def confirm(self, archive: BackupArchive, token: str) -> None:
        with self._lock:
            if archive == self._entries.numbered.get(archive.id, (0, None))[1]:
                return
            self._claims.end(archive.id, token)
            self._entries.add(archive)
            self._changed(archive)
            self.arrived.came([archive])

    def release(self, id: ArchiveId, token: str) -> None:
        with self._lock:
            self._claims.end(id, token)

    def take_over(
        self, limit: int, lease: timedelta, *, id: ArchiveId | None = None, whatever_lease: bool = False
    ) -> list[TakenClaim]:
        with self._lock:
            return self._claims.take_over(limit, lease, id, whatever_lease=whatever_lease)

    def open_claims(self) -> list[BackupArchive]:
        with self._lock:
            return self._claims.all()

    def adopt(self, archives: Sequence[BackupArchive]) -> int:
        with self._lock:
            entered = _enter(self._entries, archives, taken=self._claims)
            for archive in entered:
                self._changed(archive)
            self.arrived.came(entered)
            return len(entered)

    def replace(self, archives: Iterable[BackupArchive]) -> int:
        with self._lock:
            self.statuses.forget(self._linked)
            entries = Entries(profiles=dict(self._entries.profiles))
            entered = _enter(entries, archives, taken=())
            self._entries, self._claims, self._linked, self._broken = entries, Claims(), {}, {}
            for archive in entered:
                self._changed(archive)
            self.arrived.are(entered)
        return len(entered)

    def is_sound(self) -> bool:
        return True

    def adds_up(self) -> bool:
        return True  # sums are computed from the entries at every request

    def find(self, id: ArchiveId) -> BackupArchive:
        with self._lock:
            _, archive = self._entries.numbered.get(id, (0, None))
        if archive is None or archive.state is ArchiveState.TRASHED:
            raise ArchiveNotFound(str(id))
        return archive

    def named(self, type: BackupType, name: str, *, profiles: Collection[str] | None = None) -> list[BackupArchive]:
        with self._lock:
            found = [a for a in self._entries.listed() if a.id.type is type and a.id.name == name]
        return sorted(
            (archive for archive in found if profiles is None or archive.id.profile in profiles),
            key=lambda archive: archive.id,
        )

    def page(
        self,
        *,
        profile: str | None = None,
        profiles: Collection[str] | None = None,
        type: BackupType | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> ArchivePage:
        _check(limit)
        if profile is not None:
            profiles = (profile,) if profiles is None or profile in profiles else ()
        with self._lock:
            start = 0 if cursor is None else bisect_right(self._entries.in_time, read_time(cursor))
            found = list(islice(self._entries.from_place(start, profiles, type), limit + 1))
        more = len(found) > limit
        return ArchivePage(
            tuple(archive for _, archive in found[:limit]), after_time(*found[limit - 1][0]) if more else None
        )

    def arrivals(self, profile: str, type: BackupType | None = None, *, limit: int) -> list[Arrival]:
        with self._lock:
            return list(map(arrival_of, islice(self._entries.latest(profile, type), limit)))

    def listed(
        self,
        *,
        profile: str | None = None,
        profiles: Collection[str] | None = None,
        type: BackupType | None = None,
        cursor: str | None = None,
        limit: int = 1000,
    ) -> ListedPage:
        page = self.page(profile=profile, profiles=profiles, type=type, cursor=cursor, limit=limit)
        return ListedPage(tuple(map(_listed_archive, page.archives)), page.next_cursor)

    def inventory(self, *, profile: str | None = None, cursor: str | None = None, limit: int = 10_000) -> InventoryPage:
        _check(limit)
        with self._lock:
            entries = self._entries
            order = entries.by_identity
            start = 0 if cursor is None else bisect_right(order, read_identity(cursor), key=itemgetter(0))
            places = (order[position] for position in range(start, len(order)))
            wanted = (entries.archive(seq) for (_, _, whose), seq in places if profile in (None, whose))
            found = list(islice(wanted, limit + 1))
        more = len(found) > limit
        return InventoryPage(
            tuple(_inventory_entry(archive) for archive in found[:limit]),
            after_identity(*identity_key(found[limit - 1].id)) if more else None,
        )

    def names(self, profile: str, type: BackupType, *, after: str = "", limit: int = 10_000) -> list[str]:
        _check(limit)
        with self._lock:
            listed = self._entries.listed()
            found = sorted(a.id.name for a in listed if a.id.profile == profile and a.id.type is type)
        return [name for name in found if name > after][:limit]

    def names_of(self, profiles: Collection[str]) -> dict[tuple[str, BackupType], list[str]]:
        found: dict[tuple[str, BackupType], list[str]] = {}
        with self._lock:
            for archive in self._entries.listed():
                found.setdefault((archive.id.profile, archive.id.type), []).append(archive.id.name)
        return {place: names for place, names in found.items() if place[0] in profiles}

    def look_up(self, profile: str, type: BackupType, names: Collection[str]) -> list[InventoryEntry]:
        wanted = set(names)
        with self._lock:
            listed = [a for a in self._entries.listed() if a.id.profile == profile and a.id.type is type]
        return [_inventory_entry(archive) for archive in listed if archive.id.name in wanted]

    def totals(self, profile: str | None = None, *, profiles: Collection[str] | None = None) -> list[Totals]:
        sums: dict[tuple[str, str], Totals] = {}
        with self._lock:
            for archive in self._entries.listed():
                whose = archive.id.profile
                if profile in (None, whose) and (profiles is None or whose in profiles):
                    key = whose, archive.id.type.value
                    sums[key] = _plus(sums.get(key), archive)
        return [sums[key] for key in sorted(sums)]

    def sums(self, profiles: Collection[str] | None = None) -> dict[BackupType, Sums]:
        rows = self.totals(profiles=profiles)
        return {
            type: Sums(
                sum(row.archives for row in rows if row.type is type),
                sum(row.size_bytes for row in rows if row.type is type),
            )
            for type in BackupType
        }

    def held(self) -> dict[str, Sums]:
        found: dict[str, Sums] = {}
        for row in self.totals():
            before = found.get(row.profile, Sums(0, 0))
            found[row.profile] = Sums(before.archives + row.archives, before.size_bytes + row.size_bytes)
        return found

    def profiles_since(self, mark: int) -> tuple[list[str], int]:
        with self._lock:
            return list(islice(self._entries.profiles, mark, None)), len(self._entries.profiles)

    def mark(self, id: ArchiveId, state: ArchiveState, fault: Fault | None = None) -> None:
        with self._lock:
            if id not in self._entries.numbered:
                raise ArchiveNotFound(str(id))
            archive = self._entries.numbered[id][1]
            if archive.state is not state:
                marked = evolve(archive, state=state)
                self._entries.set(marked)
                self._changed(marked)
            if fault is not None:
                self.scrubs.note_fault(archive, fault)

    def note_snapshot(self, id: ArchiveId, sha256: str | None) -> None:
        with self._lock:
            archive = self.find(id)
            lineage = archive.lineage if sha256 is None else evolve(archive.lineage, snapshot_after=sha256)
            noted = evolve(archive, lineage=lineage, has_snapshot=sha256 is not None)
            if noted != archive:
                self._entries.set(noted)
                self._changed(noted)

    def names_without_snapshot(self, profile: str, type: BackupType) -> set[str]:
        with self._lock:
            return {
                archive.id.name
                for archive in self._entries.listed()
                if (archive.id.profile, archive.id.type) == (profile, type) and not archive.has_snapshot
            }

    def hide(self, id: ArchiveId, version: int) -> int | None:
        with self._lock:
            self.find(id)
            if self.link_state(id.profile).version != version:
                return None
            self.mark(id, ArchiveState.TRASHED)
            return self.link_state(id.profile).version

    def trashed(self) -> list[BackupArchive]:
        with self._lock:
            found = [archive for _, archive in self._entries.numbered.values() if archive.state is ArchiveState.TRASHED]
        return sorted(found, key=lambda archive: archive.id)

    def removed(self, profile: str, type: BackupType, names: Collection[str]) -> list[InventoryEntry]:
        return [
            _inventory_entry(archive)
            for archive in self.trashed()
            if (archive.id.profile, archive.id.type) == (profile, type) and archive.id.name in names
        ]

    def forget(self, id: ArchiveId) -> None:
        with self._lock:
            _, archive = self._entries.numbered.get(id, (0, None))
            if archive is not None and archive.state is ArchiveState.TRASHED:
                self._changed(archive)  # others may have asked about it
                self._entries.drop(id)
                self._let_go(id)

    def broken_since(self, profile: str) -> dict[ArchiveId, datetime]:
        with self._lock:
            return dict(self._broken.get(profile, {}))

    def note_broken(self, profile: str, ids: Collection[ArchiveId], now: datetime) -> None:
        with self._lock:
            known = self._broken.get(profile, {})
            self._broken[profile] = {id: known.get(id, now) for id in ids}

    def close(self) -> None:
        """Does nothing."""

    def _every_entry(self) -> list[BackupArchive]:
        with self._lock:
            return [archive for _, archive in self._entries.numbered.values()]


def _enter(entries: Entries, archives: Iterable[BackupArchive], taken: Container[ArchiveId]) -> list[BackupArchive]:
    """Enter archives; returns the new ones."""
    entered = []
    for archive in archives:
        if archive.id not in entries.numbered and archive.id not in taken:
            entries.add(archive)
            entered.append(archive)
    return entered


def _plus(so_far: Totals | None, archive: BackupArchive) -> Totals:
    if so_far is None:
        return Totals(archive.id.profile, archive.id.type, 1, archive.size_bytes, archive.received_at)
    return evolve(
        so_far,
        archives=so_far.archives + 1,
        size_bytes=so_far.size_bytes + archive.size_bytes,
        newest=max(so_far.newest, archive.received_at),
    )


def _listed_archive(archive: BackupArchive) -> ListedArchive:
    id, digests = archive.id, archive.digests
    return ListedArchive(
        id.profile,
        id.type,
        id.name,
        archive.size_bytes,
        digests.md5,
        digests.sha256,
        archive.received_at,
        archive.state,
    )


def _inventory_entry(archive: BackupArchive) -> InventoryEntry:
    digests = archive.digests
    is_damaged = archive.state is ArchiveState.DAMAGED
    return InventoryEntry(archive.id.type, archive.id.name, archive.size_bytes, digests.md5, digests.sha256, is_damaged)


def _check(limit: int) -> None:
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
