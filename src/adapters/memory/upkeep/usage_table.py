"""How many bytes were used on each day, in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import date

from attrs import define, field

from ....domain.watching.used import UsedOnDay


@define(eq=False)
class MemoryUsageTable:
    """`UsageTable` that ends with the process."""

    _days: dict[date, UsedOnDay] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def keep(self, days: Sequence[UsedOnDay]) -> None:
        with self._lock:
            self._days.update((one.day, one) for one in days)

    def days(self, first: date, last: date) -> list[UsedOnDay]:
        with self._lock:
            return [self._days[day] for day in sorted(self._days) if first <= day <= last]
