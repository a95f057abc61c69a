"""How many archives came on each day, in memory."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import date
from typing import TypeAlias

from attrs import define, field

from ....domain.archives.archive import BackupArchive
from ....domain.identity.archive_id import BackupType
from ....domain.watching.arrived import ArrivedOnDay, day_of

_Place: TypeAlias = tuple[str, date, BackupType]


@define(eq=False)
class MemoryArrivalTable:
    """`ArrivalTable` of a catalog that tells it what comes."""

    _archives: Counter[_Place] = field(factory=Counter, init=False)
    _size_bytes: Counter[_Place] = field(factory=Counter, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def came(self, archives: Iterable[BackupArchive]) -> None:
        """Count *archives*."""
        counts, sizes = _counted(archives)
        with self._lock:
            self._archives += counts
            self._size_bytes += sizes

    def are(self, archives: Iterable[BackupArchive]) -> None:
        """Raise what is less than *archives*, which are all there are."""
        counts, sizes = _counted(archives)
        with self._lock:
            self._archives |= counts
            self._size_bytes |= sizes

    def days(self, first: date, last: date, *, profile: str | None = None) -> list[ArrivedOnDay]:
        with self._lock:
            found = [
                ArrivedOnDay(*place, count, self._size_bytes[place])
                for place, count in self._archives.items()
                if first <= place[1] <= last and profile in (None, place[0])
            ]
        return sorted(found, key=lambda one: (one.profile, one.day, one.type.value))

    def came_to(self, profiles: Collection[str], first: date, last: date) -> dict[str, dict[date, bool]]:
        found: dict[str, dict[date, bool]] = {}
        for one in self.days(first, last):
            if one.profile in profiles:
                days = found.setdefault(one.profile, {})
                days[one.day] = days.get(one.day, False) or one.type is BackupType.FULL
        return found

    def sizes(self, profiles: Collection[str], first: date, last: date) -> dict[str, int]:
        found = Counter[str]()
        for one in self.days(first, last):
            if one.profile in profiles:
                found[one.profile] += one.size_bytes
        return dict(found)


def _counted(archives: Iterable[BackupArchive]) -> tuple[Counter[_Place], Counter[_Place]]:
    counts, sizes = Counter[_Place](), Counter[_Place]()
    for archive in archives:
        place = archive.id.profile, day_of(archive.received_at), archive.id.type
        counts[place] += 1
        sizes[place] += archive.size_bytes
    return counts, sizes
