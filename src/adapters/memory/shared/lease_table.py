"""Leases in memory, among the threads of one process and the adapters that share this object."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from datetime import timedelta

from attrs import define, evolve, field, frozen

from ....domain.ports.upkeep.leases import Renewed


@frozen
class _Row:
    holder: str
    fence: int
    until_seconds: float
    is_wanted: bool = False

    @property
    def is_over(self) -> bool:
        return self.until_seconds <= time.monotonic()


@define(eq=False)
class MemoryLeaseTable:
    """`LeaseTable` in memory."""

    _rows: dict[str, _Row] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def take(self, name: str, holder: str, ttl: timedelta) -> int | None:
        with self._lock:
            row = self._rows.get(name)
            if row is not None and row.holder != holder and not row.is_over:
                self._rows[name] = evolve(row, is_wanted=True)
                return None
            fence = 1 if row is None else row.fence + 1
            self._rows[name] = _Row(holder, fence, time.monotonic() + ttl.total_seconds())
            return fence

    def renew(self, holder: str, ttl: timedelta) -> Mapping[str, Renewed]:
        with self._lock:
            ours = {name: row for name, row in self._rows.items() if row.holder == holder and not row.is_over}
            for name, row in ours.items():
                self._rows[name] = evolve(row, until_seconds=time.monotonic() + ttl.total_seconds())
            return {name: Renewed(row.fence, row.is_wanted) for name, row in ours.items()}

    def give_up(self, name: str, holder: str, fence: int) -> None:
        with self._lock:
            row = self._rows.get(name)
            if row is not None and (row.holder, row.fence) == (holder, fence):
                self._rows[name] = evolve(row, until_seconds=time.monotonic())

    def held(self, names: Collection[str]) -> set[str]:
        with self._lock:
            return {name for name in names if name in self._rows and not self._rows[name].is_over}

    def has(self, name: str, fence: int) -> bool:
        """Whether nobody took the lease *name* since it got *fence*."""
        with self._lock:
            return name in self._rows and self._rows[name].fence == fence
