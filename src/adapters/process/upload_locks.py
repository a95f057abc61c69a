"""One writer per upload, within this process, which is the only one: it holds the lock of the data directory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from attrs import define, field

from ...domain.errors.uploads import UploadLocked


def _nothing() -> None:
    """For holders that cannot be hurried."""


@define(eq=False)
class ProcessUploadLocks:
    """`UploadLocks` by a table of holders."""

    _holders: dict[str, Callable[[], None]] = field(factory=dict, init=False)
    _changed: threading.Condition = field(factory=threading.Condition, init=False)

    @contextmanager
    def hold(self, upload: str, patience: timedelta, when_wanted: Callable[[], None] = _nothing) -> Iterator[None]:
        deadline = time.monotonic() + patience.total_seconds()
        with self._changed:
            while (holder := self._holders.get(upload)) is not None:
                holder()
                if not self._changed.wait(deadline - time.monotonic()) and upload in self._holders:
                    raise UploadLocked(upload)
            self._holders[upload] = when_wanted
        try:
            yield
        finally:
            with self._changed:
                del self._holders[upload]
                self._changed.notify_all()
