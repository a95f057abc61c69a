"""
Finishing or dropping what a crash interrupted.

After a crash only two places can hold anything unfinished: the open claims of the catalog, and staging. A claim whose
archive was published whole is confirmed (its bytes were durable before it was published); any other is dropped.
"""

from __future__ import annotations

from datetime import UTC, datetime

from attrs import frozen

from ...archives import sidecar
from ...archives.archive import BackupArchive
from ...errors.archives import ArchiveNotFound
from ...ports import ArchiveStore, Catalog, UploadSessions
from ...uploads import led_nowhere

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
        # the store is owned by this process alone and nothing is being received yet: all of staging is abandoned, but
        # for uploads that somebody may go on with
        for upload in filter(led_nowhere, self.sessions.all()):
            self.sessions.remove(upload.id)
        unfinished = {upload.id for upload in self.sessions.unfinished()}
        swept = self.store.sweep(_ANY_TIME, unfinished)
        return RecoveryReport(confirmed=confirmed, dropped=len(claims) - confirmed, swept=swept)


def settle_claim(claimed: BackupArchive, store: ArchiveStore, catalog: Catalog) -> bool:
    """
    Confirm the open claim on *claimed* if exactly that archive is published whole, else drop it; whether it was kept.

    An archive under that identity which the claim does not describe is not ours to remove: it stays for a rebuild.
    """
    try:
        stored = store.stat(claimed.id)
    except ArchiveNotFound:
        store.remove(claimed.id)  # at most a side-car without its archive
        catalog.release(claimed.id)
        return False
    ours = stored.sidecar == sidecar.encode(claimed)
    if ours and stored.size_bytes == claimed.size_bytes:
        catalog.confirm(claimed)
        return True
    if ours:
        store.remove(claimed.id)
    catalog.release(claimed.id)
    return False
