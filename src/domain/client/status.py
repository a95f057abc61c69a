"""
Is everything that lies here safe there?

Safe is a local archive whose very bytes, by SHA-256, the server stores and does not know to be damaged. Sizes, names
and times prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum

from attrs import frozen

from ..archives.archive import ArchiveState, BackupArchive
from ..identity.archive_id import BackupType
from ..text.counted import counted
from .ports.local_archives import LocalArchive


class Safety(Enum):
    """What the server has of one local archive."""

    SAFE = "safe"
    MISSING = "missing"
    DIFFERING = "differing"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"


@frozen
class TypeStock:
    """One type: how many are here and there, the newest of each side, and what is the matter with each local one."""

    type: BackupType
    local_count: int
    stored_count: int
    newest_local: LocalArchive | None
    newest_stored: BackupArchive | None
    safety: Mapping[LocalArchive, Safety]

    def count(self, safety: Safety) -> int:
        """How many local archives are so."""
        return sum(one is safety for one in self.safety.values())


@frozen
class Stock:
    """Both sides, type by type."""

    types: Mapping[BackupType, TypeStock]

    @property
    def is_safe(self) -> bool:
        return all(stock.count(Safety.SAFE) == stock.local_count for stock in self.types.values())

    @property
    def local_count(self) -> int:
        return sum(stock.local_count for stock in self.types.values())

    def having(self, safety: Safety) -> list[LocalArchive]:
        """The local archives that are so, by type and name."""
        return [archive for stock in self.types.values() for archive, found in stock.safety.items() if found is safety]


def take_stock(digests: Mapping[LocalArchive, str | None], stored: Iterable[BackupArchive]) -> Stock:
    """
    Hold the local archives with their *digests* (SHA-256 in lower-case hex, None where unreadable) against *stored*.

    An archive of another profile with the same type, name and bytes keeps a local one as safe as one of its own. Of
    *stored* only what concerns local names is kept, so it may be an iterator over any number.
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
    How long ago *then* was, for people: ``3 minutes``, ``2 days``; both aware.

    A time to come, as of a wrong clock, is no age at all.
    """
    seconds = (now - then).total_seconds()
    if seconds < -1:
        return "in the future"
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // length)
        if count >= 2 or (count == 1 and unit != "day"):
            return f"{counted(count, unit)} ago"
    return "just now"
