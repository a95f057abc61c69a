"""The audit log in memory: for tests, and for servers over memory."""

from __future__ import annotations

import threading
from collections import deque

from attrs import define, field

from ..domain.audit import FIRST, AuditEntry, AuditReport, check, line_digest, line_of


@define(eq=False)
class MemoryAuditLog:
    """`AuditLog` that ends with the process. It keeps the last 10,000 lines; of more the first does not fit."""

    _lines: deque[bytes] = field(factory=lambda: deque(maxlen=10_000), init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def append(self, entry: AuditEntry) -> None:
        with self._lock:
            self._lines.append(line_of(entry, line_digest(self._lines[-1]) if self._lines else FIRST))

    def check(self, noted: str | None = None) -> AuditReport:
        with self._lock:
            return check(self._lines, noted)
