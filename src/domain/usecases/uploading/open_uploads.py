"""
The state of resumable uploads, and their end: stored, deleted, expired, or refused for their contents.

The rules: an offset is reported only if staging has that many bytes, so the open end of a failed receive is settled
first; and an ended upload leaves nothing behind. The reason for its end is remembered for a minute, without a file, for
a client that asks again. A stored upload is known for an hour, for a client that lost the answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from attrs import define, field, frozen

from ... import uploads
from ...archives.archive import BackupArchive, Offer
from ...errors.uploads import StagedBytesMissing, UploadGone, UploadLocked, UploadNotFound
from ...ports.store import ArchiveStore
from ...ports.system import Clock
from ...ports.uploads import UploadLocks, UploadSessions
from ...tarkeep_error import TarkeepError
from ...uploads import Upload
from ..receiving.intake import Intake

OVER_KEPT, OVER_AT_MOST = timedelta(minutes=1), 1_000
STORED_KEPT, STORED_AT_MOST = timedelta(hours=1), 10_000
"""How long ended uploads are remembered, and how many; the oldest are forgotten first."""


BYTES_LOST = "its bytes are lost"


@define(eq=False)
class ParkedIntakes:
    """
    Intakes between two requests: the *limit* most recent ones.

    Safe for several threads at once: each step is one operation on a dictionary, and the thread that pops an intake
    owns it.
    """

    limit: int = 32
    _intakes: dict[str, Intake] = field(factory=dict, init=False)

    def take(self, upload: Upload) -> Intake | None:
        """The parked intake of *upload*, if it has the same offset."""
        intake = self._intakes.pop(upload.id, None)
        if intake is not None and intake.size_bytes != upload.offset_bytes:
            intake.close()
            return None
        return intake

    def keep(self, id: str, intake: Intake) -> None:
        """Park *intake* until it is taken; the one parked longest may be dropped."""
        self._intakes[id] = intake
        for oldest in list(self._intakes)[: -self.limit]:
            self.drop(oldest)

    def drop(self, id: str) -> None:
        """Close the intake of *id*, if it is parked."""
        intake = self._intakes.pop(id, None)
        if intake is not None:
            intake.close()

    def close(self) -> None:
        """Close all intakes."""
        for id in list(self._intakes):
            self.drop(id)


@define(eq=False)
class RecentlyOver:
    """Uploads that ended without an archive within `OVER_KEPT`. Safe for several threads: each step is one call."""

    _uploads: deque[Upload] = field(factory=lambda: deque(maxlen=OVER_AT_MOST), init=False)

    def note(self, upload: Upload) -> None:
        """Remember the ended *upload*."""
        self._uploads.append(upload)

    def get(self, id: str, now: datetime) -> Upload:
        """The upload *id*. Raises UploadNotFound."""
        for upload in list(self._uploads):
            if upload.id == id and upload.touched_at >= now - OVER_KEPT:
                return upload
        raise UploadNotFound(id)


@frozen
class UploadsUnderWay:
    """
    The state of uploads, and their end, for all use cases that work on them.

    *stored_as* is `StoreArchive.stored_as`, *idle* is how long an upload may lie untouched, *patience* how long to wait
    for a silent request to leave. With *may_move* other servers may receive bytes of the same upload between two
    requests: what they received is then not inspected before the last bytes have come, but once, as a whole.
    """

    store: ArchiveStore
    stored_as: Callable[[Offer, str], BackupArchive | None]
    sessions: UploadSessions
    locks: UploadLocks
    resting: ParkedIntakes
    clock: Clock
    idle: timedelta = timedelta(hours=24)
    patience: timedelta = timedelta(seconds=5)
    over: RecentlyOver = field(factory=RecentlyOver)
    may_move: bool = False

    def current(self, id: str) -> Upload:
        """
        The upload *id*; the caller must hold its lock.

        Raises:
            UploadNotFound, UploadGone: no upload has that id, or it is over.
            StagedBytesMissing: its bytes are lost, and the upload is over.
            CatalogBusy, BackendUnavailable, ...: its state, or whether it is stored, cannot be read now.
        """
        upload = self.unended(id)
        if uploads.may_be_stored(upload):
            upload = self._noted(upload)
        return self._there(upload) if upload.is_open else upload

    def _noted(self, upload: Upload) -> Upload:
        """
        *upload*, marked as stored if its archive is: the request that stored it may have failed before saving that.
        """
        if upload.offer is None or upload.sha256 is None:
            return upload
        archive = self.stored_as(upload.offer, upload.sha256)
        if archive is None:
            return upload
        upload = uploads.stored(upload, archive.id, self.clock.now())
        self.sessions.save(upload)
        self.store.discard(upload.id)
        return upload

    def _there(self, upload: Upload) -> Upload:
        """*upload*, after checking that its bytes exist: they may be lost, or a failed publish may have moved them."""
        if self.store.staged_bytes(upload.id) < upload.offset_bytes:
            self.end(upload, BYTES_LOST)
            raise StagedBytesMissing(upload.id)
        return upload

    def known(self, id: str) -> Upload:
        """The upload *id* in its last saved state, or as it ended. Raises UploadNotFound."""
        try:
            return self.sessions.get(id)
        except UploadNotFound:
            return self.over.get(id, self.clock.now())

    def unended(self, id: str) -> Upload:
        """The upload *id* in its last saved state. Raises UploadNotFound, and UploadGone if it is over."""
        upload = self.known(id)
        uploads.check_not_ended(upload)
        if upload.is_open and upload.expires_at(self.idle) < self.clock.now():
            raise UploadGone(id, "it expired")
        return upload

    def check_owner(self, id: str, owner: str | None) -> None:
        """
        Check that the upload *id* was begun with the token *owner*, or with no token if None.

        Raises:
            UploadNotFound: another owner began it, or it does not exist.
        """
        if self.known(id).owner != owner:
            raise UploadNotFound(id)

    def end(self, upload: Upload, why: str) -> None:
        """End *upload* and drop its bytes; the caller must hold its lock."""
        over = uploads.over(upload, why, self.clock.now())
        self.over.note(over)
        # saved first: if a power cut brings the journal back, it tells that the upload is over
        self.sessions.save(over)
        self.resting.drop(upload.id)
        self.store.discard(upload.id)
        self.sessions.remove(upload.id)

    def is_idle(self, upload: Upload, since: timedelta) -> bool:
        """Whether *upload* has been untouched for longer than *since*."""
        return upload.expires_at(since) < self.clock.now()

    def end_idle(self, upload: Upload, why: str, since: timedelta) -> bool:
        """End *upload* if it `is_idle` and no request holds it. Returns whether it was ended."""
        if not self.is_idle(upload, since):
            return False
        try:
            with self.locks.hold(upload.id, timedelta(0)):
                upload = self.sessions.get(upload.id)
                if not upload.is_open or not self.is_idle(upload, since):
                    return False
                self.end(upload, why)
        except TarkeepError:
            return False
        return True


@frozen
class ShowUpload:
    """
    The state of an upload.

    A silent request that still holds the upload is made to leave first, so that the client can continue from the
    reported offset; a working one is not disturbed.
    """

    under_way: UploadsUnderWay

    def __call__(self, id: str) -> Upload:
        """
        Raises:
            UploadNotFound, UploadGone: no upload has that id, or it is over.
            StagedBytesMissing: its bytes are lost, and the upload is over.
            CatalogBusy, BackendUnavailable, ...: its state, or whether it is stored, cannot be read now.
        """
        try:
            with self.under_way.locks.hold(id, self.under_way.patience):
                return self.under_way.current(id)
        except UploadLocked:
            return self.under_way.unended(id)


@frozen
class EndUpload:
    """Drop an unfinished upload at its client's request; a stored archive stays."""

    under_way: UploadsUnderWay

    def __call__(self, id: str) -> None:
        """
        Raises:
            UploadNotFound, UploadGone: no upload has that id, or it is over.
            UploadLocked: a request is sending for it.
        """
        with self.under_way.locks.hold(id, self.under_way.patience):
            self.under_way.end(self.under_way.current(id), "it was deleted")


@frozen
class ExpireOverdue:
    """Drop unfinished uploads that lay untouched for too long, which is quick."""

    under_way: UploadsUnderWay

    def __call__(self) -> int:
        """Returns the number of uploads dropped."""
        way = self.under_way
        return sum(way.end_idle(upload, "it expired", way.idle) for upload in way.sessions.unfinished())


@frozen
class ExpireUploads:
    """Drop uploads that lay untouched for too long, and forget those stored a while ago."""

    under_way: UploadsUnderWay
    expire_overdue: ExpireOverdue

    def __call__(self) -> int:
        """Returns the number of unfinished uploads dropped."""
        done = sorted((one for one in self.under_way.sessions.all() if not one.is_open), key=lambda one: one.touched_at)
        limit = self.under_way.clock.now() - STORED_KEPT
        for number, upload in enumerate(done, start=1):
            if upload.touched_at < limit or number <= len(done) - STORED_AT_MOST or uploads.led_nowhere(upload):
                with suppress(TarkeepError):
                    self.under_way.store.discard(upload.id)
                    self.under_way.sessions.remove(upload.id)
        return self.expire_overdue()
