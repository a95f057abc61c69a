"""The evidence in memory: for tests, and for servers over memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

from attrs import define, field

from ....domain.access.chain import FIRST, line_digest
from ....domain.evidence.entry import EvidenceEntry, check_month, line_of, month_of


@define(eq=False)
class MemoryEvidenceLog:
    """`EvidenceLog` that ends with the process. It keeps the last 10,000 lines; then the first breaks the chain."""

    _lines: deque[tuple[str, bytes]] = field(factory=lambda: deque(maxlen=10_000), init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def append(self, entry: EvidenceEntry) -> None:
        with self._lock:
            newest, last = self._lines[-1] if self._lines else ("", None)
            line = line_of(entry, FIRST if last is None else line_digest(last))
            self._lines.append((max(newest, month_of(entry.at)), line))

    def months(self) -> list[str]:
        with self._lock:
            return sorted({month for month, _ in self._lines})

    def read(self, month: str) -> Iterator[bytes]:
        check_month(month)
        with self._lock:
            found = [line for of, line in self._lines if of == month]
        yield from found
