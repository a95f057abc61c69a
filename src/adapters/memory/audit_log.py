"""The audit log in memory: for tests, and for servers over memory."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Iterator

from attrs import define, field

from ...domain.access.audit import (
    KEY_BYTES,
    AuditEntry,
    AuditReport,
    check,
    entry_of,
    line_of,
    told_about,
    told_as,
)
from ...domain.access.chain import FIRST, line_digest


@define(eq=False)
class MemoryAuditLog:
    """`AuditLog` that ends with the process. It keeps the last 10,000 lines; then the first breaks the chain."""

    _lines: deque[bytes] = field(factory=lambda: deque(maxlen=10_000), init=False)
    _key: bytes = field(factory=lambda: secrets.token_bytes(KEY_BYTES), init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def append(self, entry: AuditEntry) -> None:
        with self._lock:
            before = line_digest(self._lines[-1]) if self._lines else FIRST
            self._lines.append(line_of(entry, before, self._key))

    def check(self, noted: str | None = None) -> AuditReport:
        with self._lock:
            return check(self._lines, noted, self._key)

    def has(self, result: str) -> bool:
        wanted = told_as(result)
        with self._lock:
            return any(wanted in line for line in self._lines)

    def newest(self, what: str, beginnings: tuple[str, ...]) -> AuditEntry | None:
        wanted = told_about(what)
        with self._lock:
            for line in reversed(self._lines):
                entry = entry_of(line) if wanted in line else None
                if entry is not None and entry.result.startswith(beginnings):
                    return entry
        return None

    def newest_first(
        self, below: str | None = None, containing: bytes = b"", *, most_bytes: int | None = None
    ) -> Iterator[bytes]:
        with self._lock:
            lines = list(reversed(self._lines))
        is_below, passed_bytes = below is None, 0
        for line in lines:
            if is_below:
                passed_bytes += len(line) + 1
                is_last = containing not in line and most_bytes is not None and passed_bytes >= most_bytes
                if containing in line or is_last:
                    yield line
                if is_last:
                    return
            is_below = is_below or line_digest(line) == below
