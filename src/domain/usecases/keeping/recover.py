"""
Finishing or dropping what a crash interrupted.

After a crash only two places can hold unfinished work: the open claims of the catalog, and staging. A claim whose
archive was published whole is confirmed (its bytes were durable before it was published); any other is dropped.
"""

from __future__ import annotations

from datetime import UTC, datetime

from attrs import frozen

from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore
from ...ports.uploads import UploadSessions
from ...uploads import led_nowhere
from ..receiving.claims import settle_claim

_ANY_TIME = datetime.max.replace(tzinfo=UTC)


@frozen
class RecoveryReport:
    """How many open claims were finished and dropped, and how many archives were swept from staging."""

    confirmed: int
    dropped: int
    swept: int


@frozen
class RecoverInterrupted:
    """Run once at start, before anything is received."""

    store: ArchiveStore
    catalog: Catalog
    sessions: UploadSessions

    def __call__(self) -> RecoveryReport:
        claims = self.catalog.open_claims()
        confirmed = sum(settle_claim(claim, self.store, self.catalog) for claim in claims)
        # this process alone owns the store, and receives nothing yet: all of staging is abandoned, except uploads that
        # a client may continue
        for upload in filter(led_nowhere, self.sessions.all()):
            self.sessions.remove(upload.id)
        unfinished = {upload.id for upload in self.sessions.unfinished()}
        swept = self.store.sweep(_ANY_TIME, unfinished)
        return RecoveryReport(confirmed=confirmed, dropped=len(claims) - confirmed, swept=swept)
