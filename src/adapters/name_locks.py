"""One receive at a time per identity, within this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from ..domain.archives import ArchiveId
from ..domain.errors import ReceiveInProgress


class ProcessNameLocks:
    """`NameLocks` for a data directory that one process owns."""

    def __init__(self) -> None:
        self._held: set[ArchiveId] = set()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, id: ArchiveId, patience: timedelta) -> Iterator[None]:
        with self._changed:
            if not self._changed.wait_for(lambda: id not in self._held, patience.total_seconds()):
                raise ReceiveInProgress(id)
            self._held.add(id)
        try:
            yield
        finally:
            with self._changed:
                self._held.discard(id)
                self._changed.notify_all()
