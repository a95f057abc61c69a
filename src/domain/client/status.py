"""
Whether every local archive is safe on the server.

A local archive is safe if the server stores its very bytes, by SHA-256, and does not know them to be damaged. Sizes,
names and times prove nothing. What the server had and removed by the profile's policy needs no sending again.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from enum import Enum

from attrs import evolve, frozen

from ..archives.archive import ArchiveState, BackupArchive
from ..archives.inventory import Bucket, InventoryEntry
from ..errors.client import Unauthorized
from ..identity.archive_id import BackupType
from ..text.counted import counted
from .ports.local_archives import LocalArchive
from .ports.remote import RemoteStore


class Safety(Enum):
    """What the server has of one local archive."""

    SAFE = "safe"
    MISSING = "missing"
    DIFFERING = "differing"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    PRUNED = "pruned"  # the server had these bytes, and removed them by the profile's policy


@frozen
class TypeStock:
    """One type: how many archives each side has, the newest of each side, and the safety of each local one."""

    type: BackupType
    local_count: int
    stored_count: int
    newest_local: LocalArchive | None
    newest_stored: BackupArchive | None
    safety: Mapping[LocalArchive, Safety]

    def count(self, safety: Safety) -> int:
        """The number of local archives in that state."""
        return sum(one is safety for one in self.safety.values())


@frozen
class Stock:
    """Both sides, type by type."""

    types: Mapping[BackupType, TypeStock]

    @property
    def is_safe(self) -> bool:
        return not self.unsafe_count

    @property
    def unsafe_count(self) -> int:
        """The number of local archives that are neither safe nor were removed there by policy."""
        return self.local_count - len(self.having(Safety.SAFE)) - len(self.having(Safety.PRUNED))

    @property
    def local_count(self) -> int:
        return sum(stock.local_count for stock in self.types.values())

    def having(self, safety: Safety) -> list[LocalArchive]:
        """The local archives in that state, by type and name."""
        return [archive for stock in self.types.values() for archive, found in stock.safety.items() if found is safety]


def take_stock(digests: Mapping[LocalArchive, str | None], stored: Iterable[BackupArchive]) -> Stock:
    """
    Compare local archives, with their *digests* (SHA-256 in lower-case hex, None if unreadable), with *stored*.

    An archive of another profile with the same type, name and bytes makes a local one as safe as one of its own. Only
    the part of *stored* with local names is kept, so *stored* may be an iterator of any length.
    """
    names = {(archive.type, archive.name) for archive in digests}
    there: dict[tuple[BackupType, str], list[BackupArchive]] = {}
    counts = dict.fromkeys(BackupType, 0)
    newest: dict[BackupType, BackupArchive] = {}
    for archive in stored:
        type = archive.id.type
        counts[type] += 1
        if type not in newest or archive.received_at >= newest[type].received_at:
            newest[type] = archive
        if (type, archive.id.name) in names:
            there.setdefault((type, archive.id.name), []).append(archive)
    types = {}
    for type in BackupType:
        here = [archive for archive in digests if archive.type is type]
        types[type] = TypeStock(
            type,
            len(here),
            counts[type],
            max(here, key=lambda archive: (archive.modified_ns, archive.name), default=None),
            newest.get(type),
            {archive: _safety(digests[archive], there.get((type, archive.name), [])) for archive in here},
        )
    return Stock(types)


def compared_stock(digests: Mapping[LocalArchive, str | None], remote: RemoteStore, profile: str | None) -> Stock:
    """`take_stock` with what *remote* has of *profile*, or of all; it is asked again about what it seems to lack."""
    stock = take_stock(digests, remote.archives(profile=profile))
    missing = stock.having(Safety.MISSING)
    if not missing:
        return stock
    entries = [InventoryEntry(one.type, one.name, one.size_bytes, sha256=digests[one]) for one in missing]
    try:
        there = remote.verify(profile, entries).places()
    except Unauthorized:  # comparing may need another scope than listing
        return stock
    pruned = {one for one in missing if there.get((one.type, one.name)) is Bucket.PRUNED}
    return Stock({type: _with_pruned(its, pruned) for type, its in stock.types.items()})


def _with_pruned(stock: TypeStock, pruned: Container[LocalArchive]) -> TypeStock:
    safety = {archive: Safety.PRUNED if archive in pruned else found for archive, found in stock.safety.items()}
    return evolve(stock, safety=safety)


def _safety(sha256: str | None, candidates: list[BackupArchive]) -> Safety:
    if sha256 is None:
        return Safety.UNREADABLE
    if not candidates:
        return Safety.MISSING
    equal = [archive for archive in candidates if archive.digests.sha256 == sha256]
    if not equal:
        return Safety.DIFFERING
    return Safety.SAFE if any(archive.state is ArchiveState.STORED for archive in equal) else Safety.DAMAGED


def age(then: datetime, now: datetime) -> str:
    """
    How long ago *then* was, for people: ``3 minutes ago``, ``2 days ago``; both times are aware.

    A future time, as from a wrong clock, has no age.
    """
    seconds = (now - then).total_seconds()
    if seconds < -1:
        return "in the future"
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // length)
        if count >= 2 or (count == 1 and unit != "day"):
            return f"{counted(count, unit)} ago"
    return "just now"
