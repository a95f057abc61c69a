"""One receive at a time per identity, and one count at a time of what a profile holds, within this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from ...domain.errors.archives import ReceiveInProgress
from ...domain.identity.archive_id import ArchiveId


class ProcessNameLocks:
    """`NameLocks` for a data directory that one process owns."""

    def __init__(self) -> None:
        self._held: set[ArchiveId | str] = set()  # identities, and names of profiles
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, id: ArchiveId, patience: timedelta) -> Iterator[None]:
        with self._changed:
            if not self._changed.wait_for(lambda: id not in self._held, patience.total_seconds()):
                raise ReceiveInProgress(id)
            self._held.add(id)
        with self._let_go(id):
            yield

    @contextmanager
    def hold_profile(self, profile: str) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: profile not in self._held)
            self._held.add(profile)
        with self._let_go(profile):
            yield

    @contextmanager
    def _let_go(self, held: ArchiveId | str) -> Iterator[None]:
        try:
            yield
        finally:
            with self._changed:
                self._held.discard(held)
                self._changed.notify_all()
