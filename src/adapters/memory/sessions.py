"""Sessions of browsers in memory: they end with the process."""

from __future__ import annotations

import threading
from datetime import datetime

from attrs import define, evolve, field

from ...domain.access.sessions import Session


@define
class MemorySessionTable:
    """`SessionTable` in memory."""

    _sessions: dict[str, Session] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def add(self, session: Session) -> None:
        with self._lock:
            self._sessions[session.sha256] = session

    def find(self, sha256: str) -> Session | None:
        with self._lock:
            return self._sessions.get(sha256)

    def note_use(self, sha256: str, at: datetime) -> None:
        with self._lock:
            if sha256 in self._sessions:
                self._sessions[sha256] = evolve(self._sessions[sha256], used_at=at)

    def end(self, sha256: str) -> None:
        with self._lock:
            self._sessions.pop(sha256, None)

    def sweep(self, begun_before: datetime, used_before: datetime) -> None:
        with self._lock:
            for session in list(self._sessions.values()):
                if session.begun_at < begun_before or session.used_at < used_before:
                    del self._sessions[session.sha256]
