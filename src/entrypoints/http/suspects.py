"""
Archives that a client suspects, because its copy has another SHA-256: they are read again here, and marked.

Any principal that may read archives may ask for this, and must not be able to keep the disk busy by it. So one archive
is read at a time, at low priority; a few are queued, fewer for each principal; and an archive is not read again for a
while: the answer is then the last result.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from attrs import define, field, frozen

from ...domain.archives.archive import ArchiveState, BackupArchive
from ...domain.identity.archive_id import ArchiveId
from ..wiring.threads import step_back
from .answers.problems import Problem

AGAIN_SECONDS = 600.0
MAX_WAITING = 16
MAX_WAITING_OF_ONE = 4
_KEPT = 10_000


@frozen
class _Asked:
    outcome: Future[ArchiveState]
    whose: str
    at: float


@define(eq=False)
class Suspects:
    """Reads archives again with *examine*, one at a time; for the thread of the event loop only."""

    examine: Callable[[BackupArchive], ArchiveState]
    clock: Callable[[], float] = time.monotonic
    _asked: dict[ArchiveId, _Asked] = field(factory=dict)
    _thread: ThreadPoolExecutor = field(factory=lambda: ThreadPoolExecutor(1, "suspects", step_back))

    def ask(self, archive: BackupArchive, whose: str) -> Future[ArchiveState]:
        """
        The result of reading *archive* again, or the last result if that is recent.

        Raises:
            Problem: too many archives are queued.
        """
        known = self._asked.pop(archive.id, None)
        if known is not None and (not known.outcome.done() or self._counts(known)):
            self._asked[archive.id] = known
            return known.outcome
        waiting = Counter(asked.whose for asked in self._asked.values() if not asked.outcome.done())
        if waiting.total() >= MAX_WAITING or waiting[whose] >= MAX_WAITING_OF_ONE:
            headers = {"Retry-After": "60"}
            raise Problem(429, "too-many-requests", "too many archives are waiting to be read again", headers=headers)
        outcome = self._thread.submit(self.examine, archive)
        self._asked[archive.id] = _Asked(outcome, whose, self.clock())
        while len(self._asked) > _KEPT:
            self._asked.pop(next(iter(self._asked)))
        return outcome

    def _counts(self, known: _Asked) -> bool:
        return known.outcome.exception() is None and self.clock() - known.at < AGAIN_SECONDS

    def close(self) -> None:
        """Wait for the archive that is being read, and drop the queue."""
        self._thread.shutdown(cancel_futures=True)
