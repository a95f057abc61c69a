"""
One line of the audit log for each stored upload, however many answers report it.

The answer to the last bytes reports that the archive is stored, and so do later answers about the upload. The line is
on the disk before any of them. After a crash it is unknown whether it was written, so the log itself is searched then.
"""

from __future__ import annotations

import threading
from datetime import datetime

from attrs import define, field

from ...domain.access.audit import AuditEntry
from ...domain.ports.access import AuditLog
from ...domain.uploads import Upload

AT_MOST = 10_000
WAIT_SECONDS = 10.0


@define(eq=False)
class ToldOnce:
    """Logs each upload once; *started_at* is when this process began."""

    _audit: AuditLog
    _started_at: datetime
    _entered: dict[str, threading.Event] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def once(self, upload: Upload, entry: AuditEntry) -> None:
        """Add *entry*, which says that *upload* was stored, unless it is in the log. Raises as `AuditLog.append`."""
        with self._lock:
            before = self._entered.get(upload.id)
            is_there = self._entered[upload.id] = before or threading.Event()
            if len(self._entered) > AT_MOST:
                del self._entered[next(iter(self._entered))]
        if before is not None:
            before.wait(WAIT_SECONDS)
            return
        try:
            # a search costs as much as the log is long, and is only needed if another process may have written it
            if upload.touched_at >= self._started_at or not self._audit.has(entry.result):
                self._audit.append(entry)
        except BaseException:
            with self._lock:
                self._entered.pop(upload.id, None)
            raise
        finally:
            is_there.set()
