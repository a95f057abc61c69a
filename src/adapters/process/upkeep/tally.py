"""Counts of what this process did."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

from attrs import define, field


@define(eq=False)
class ProcessTally:
    """`Tally` of this process."""

    _received: Counter[str] = field(factory=Counter, init=False)
    _read_bytes: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def received(self, outcome: str) -> None:
        with self._lock:
            self._received[outcome] += 1

    def read(self, size_bytes: int) -> None:
        with self._lock:
            self._read_bytes += size_bytes

    def uploads(self) -> Mapping[str, int]:
        with self._lock:
            return dict(self._received)

    def read_bytes(self) -> int:
        return self._read_bytes
