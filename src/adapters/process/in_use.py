"""Archives that readers of this process need."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from attrs import define, field

from ...domain.identity.archive_id import ArchiveId


@define(eq=False)
class ProcessInUse:
    """`InUse` for the threads of one process."""

    _readers: Counter[ArchiveId] = field(factory=Counter, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    @contextmanager
    def hold(self, ids: Collection[ArchiveId]) -> Iterator[None]:
        with self._lock:
            self._readers.update(ids)
        try:
            yield
        finally:
            with self._lock:
                self._readers.subtract(ids)
                self._readers = +self._readers

    def all(self) -> frozenset[ArchiveId]:
        with self._lock:
            return frozenset(self._readers)
