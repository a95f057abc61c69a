"""Turns within this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from ...domain.errors.capacity import CatalogBusy


class ProcessTurns:
    """`Turns` for a data directory that one process owns."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._changed = threading.Condition()

    @contextmanager
    def take(self, what: str, patience: timedelta | None = None) -> Iterator[None]:
        seconds = None if patience is None else patience.total_seconds()
        with self._changed:
            if not self._changed.wait_for(lambda: what not in self._taken, seconds):
                raise CatalogBusy
            self._taken.add(what)
        try:
            yield
        finally:
            with self._changed:
                self._taken.discard(what)
                self._changed.notify_all()
