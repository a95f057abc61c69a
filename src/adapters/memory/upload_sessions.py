"""The state of resumable uploads, in memory: for tests and for trying things out."""

from __future__ import annotations

import threading
from collections.abc import Callable

from attrs import define, field

from ...domain.errors.uploads import UploadNotFound
from ...domain.ports.uploads import nothing
from ...domain.uploads import Upload


@define(eq=False)
class MemoryUploadSessions:
    """`UploadSessions` that end with the process. Those on a disk are held in the same way while it runs."""

    _uploads: dict[str, Upload] = field(factory=dict, init=False)
    _unfinished: dict[str, Upload] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def save(self, upload: Upload, judge: Callable[[], None] = nothing) -> None:
        judge()  # its caller sees to it that nobody else in this process adds to the profile
        with self._lock:
            self._know(upload)

    def get(self, id: str) -> Upload:
        try:
            return self._uploads[id]
        except KeyError:
            raise UploadNotFound(id) from None

    def all(self) -> list[Upload]:
        with self._lock:
            return sorted(self._uploads.values(), key=lambda upload: (upload.created_at, upload.id))

    def unfinished(self) -> list[Upload]:
        with self._lock:
            return list(self._unfinished.values())

    def remove(self, id: str) -> None:
        with self._lock:
            self._forget(id)

    def _know(self, upload: Upload) -> None:
        """Hold *upload*; the caller has the lock."""
        self._uploads[upload.id] = upload
        if upload.is_open:
            self._unfinished[upload.id] = upload
        else:
            self._unfinished.pop(upload.id, None)

    def _forget(self, id: str) -> Upload | None:
        """The upload *id*, held no longer; None if it was not. The caller has the lock."""
        self._unfinished.pop(id, None)
        return self._uploads.pop(id, None)
