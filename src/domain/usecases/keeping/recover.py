"""
Finishing or dropping what a crash interrupted.

After a crash only two places can hold unfinished work: the open claims of the catalog, and staging. A claim whose
archive was published is confirmed (its bytes were durable before it was published); any other is dropped. A server that
is alone with its store does that once, at start. Of several that share one there is no such moment: each of them, every
few seconds, takes over claims whose lease has ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from attrs import frozen

from ...errors.archives import ClaimLost
from ...ports.catalog import Catalog, TakenClaim
from ...ports.store import ArchiveStore
from ...ports.uploads import UploadSessions
from ...uploads import led_nowhere
from ..receiving.claims import LEASE, settle_claim

_ANY_TIME = datetime.max.replace(tzinfo=UTC)
_AT_ONCE = 100
_REAPED_AT_ONCE = 20


@frozen
class RecoveryReport:
    """How many open claims were finished and dropped, and how many archives were swept from staging."""

    confirmed: int
    dropped: int
    swept: int


@frozen
class RecoverInterrupted:
    """
    Run once at start, before anything is received.

    *is_alone*: no other server uses the store. Else the open claims may be those of others, and stay.
    """

    store: ArchiveStore
    catalog: Catalog
    sessions: UploadSessions
    is_alone: bool = True

    def __call__(self) -> RecoveryReport:
        confirmed = dropped = 0
        while self.is_alone and self.catalog.open_claims():
            claims = self.catalog.take_over(_AT_ONCE, LEASE, whatever_lease=True)
            settled = _settled(claims, self.store, self.catalog, is_alone=True)
            confirmed, dropped = confirmed + settled.confirmed, dropped + settled.dropped
        # nothing is received here yet: all that is staged is abandoned, except uploads that a client may continue, here
        # or at another server
        for upload in filter(led_nowhere, self.sessions.all()):
            self.sessions.remove(upload.id)
        swept = self.store.sweep(_ANY_TIME, lambda: {upload.id for upload in self.sessions.unfinished()})
        return RecoveryReport(confirmed, dropped, swept)


@frozen
class ReapClaims:
    """Settle claims whose lease has ended, of whatever server: one batch a call. For servers that share a store."""

    store: ArchiveStore
    catalog: Catalog
    lease: timedelta = LEASE

    def __call__(self) -> RecoveryReport:
        taken = self.catalog.take_over(_REAPED_AT_ONCE, self.lease)
        return _settled(taken, self.store, self.catalog, is_alone=False)


def _settled(claims: Iterable[TakenClaim], store: ArchiveStore, catalog: Catalog, *, is_alone: bool) -> RecoveryReport:
    confirmed = dropped = 0
    for claim in claims:
        try:
            is_kept = settle_claim(claim, store, catalog, is_alone=is_alone)
        except ClaimLost:  # so slow that somebody else settles it
            continue
        confirmed, dropped = confirmed + is_kept, dropped + (not is_kept)
    return RecoveryReport(confirmed, dropped, swept=0)
