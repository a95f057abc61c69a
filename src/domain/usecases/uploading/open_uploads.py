"""
Where resumable uploads stand, and their end: stored, deleted, expired, or refused for what they turned out to be.

The rules: an offset is told only where there are as many bytes in staging, so that a receive whose end failed is
settled first; and what has ended leaves nothing behind. Why it ended is remembered for a minute, without a file, for
a client that asks once more. What was stored is known for an hour, to whom the answer was lost.
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
"""For so long, and so many; the oldest are forgotten first."""


BYTES_LOST = "its bytes are lost"


@define(eq=False)
class ParkedIntakes:
    """
    Intakes between two requests, the *limit* that came last.

    For several threads at once: each step is one operation of a dictionary, and an intake belongs to who popped it.
    """

    limit: int = 32
    _intakes: dict[str, Intake] = field(factory=dict, init=False)

    def take(self, upload: Upload) -> Intake | None:
        """The intake of *upload*, if one rests here that stands where the upload does."""
        intake = self._intakes.pop(upload.id, None)
        if intake is not None and intake.size_bytes != upload.offset_bytes:
            intake.close()
            return None
        return intake

    def keep(self, id: str, intake: Intake) -> None:
        """Let *arrival* rest until it is taken; the one that rests longest may have to go."""
        self._intakes[id] = intake
        for oldest in list(self._intakes)[: -self.limit]:
            self.drop(oldest)

    def drop(self, id: str) -> None:
        """Let go of the arrival of *id*, if it rests here."""
        intake = self._intakes.pop(id, None)
        if intake is not None:
            intake.close()

    def close(self) -> None:
        """Let go of all of them."""
        for id in list(self._intakes):
            self.drop(id)


@define(eq=False)
class RecentlyOver:
    """Uploads that ended without an archive within `OVER_KEPT`. For several threads at once: each step is one call."""

    _uploads: deque[Upload] = field(factory=lambda: deque(maxlen=OVER_AT_MOST), init=False)

    def note(self, upload: Upload) -> None:
        """Remember *upload*, which is over."""
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
    What becomes of uploads, for all that work on them: how each one stands, and how one ends.

    *stored_as* is `StoreArchive.stored_as`, *idle* is how long an upload may lie untouched, *patience* how long a
    request that has gone silent is waited for.
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

    def current(self, id: str) -> Upload:
        """
        The upload *id*; for whoever holds it.

        Raises:
            UploadNotFound, UploadGone: no upload has that id, or it is over.
            StagedBytesMissing: it is over from now on, since its bytes are lost.
            CatalogBusy, BackendUnavailable, ...: whether it is stored cannot be told now, nor where it stands.
        """
        upload = self.unended(id)
        if uploads.may_be_stored(upload):
            upload = self._noted(upload)
        return self._there(upload) if upload.is_open else upload

    def _noted(self, upload: Upload) -> Upload:
        """*upload*, stored if its archive is: whoever stored it may have died, or the disk failed, before noting it."""
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
        """*upload*, whose bytes are there. They may be lost, or have left staging for a place where they never came."""
        if self.store.staged_bytes(upload.id) < upload.offset_bytes:
            self.end(upload, BYTES_LOST)
            raise StagedBytesMissing(upload.id)
        return upload

    def known(self, id: str) -> Upload:
        """The upload *id* as it was last noted, or as it ended. Raises UploadNotFound."""
        try:
            return self.sessions.get(id)
        except UploadNotFound:
            return self.over.get(id, self.clock.now())

    def unended(self, id: str) -> Upload:
        """The upload *id* as it was last noted. Raises UploadNotFound, and UploadGone if it is over."""
        upload = self.known(id)
        uploads.check_not_ended(upload)
        if upload.is_open and upload.expires_at(self.idle) < self.clock.now():
            raise UploadGone(id, "it expired")
        return upload

    def check_owner(self, id: str, owner: str | None) -> None:
        """
        Judge whether the upload *id* was begun with the token *owner*, None for no token.

        Raises:
            UploadNotFound: it was not, or there is none.
        """
        if self.known(id).owner != owner:
            raise UploadNotFound(id)

    def end(self, upload: Upload, why: str) -> None:
        """Let *upload* be over, and drop its bytes; for whoever holds it."""
        over = uploads.over(upload, why, self.clock.now())
        self.over.note(over)
        # noted first: should the journal come back after a power cut, it says so
        self.sessions.save(over)
        self.resting.drop(upload.id)
        self.store.discard(upload.id)
        self.sessions.remove(upload.id)


@frozen
class ShowUpload:
    """
    Where an upload stands.

    A request that is sending for it and has gone silent is made to let go first, so that the answer is as far as
    anybody can go on from; one at work is not disturbed.
    """

    under_way: UploadsUnderWay

    def __call__(self, id: str) -> Upload:
        """
        Raises:
            UploadNotFound, UploadGone: no upload has that id, or it is over.
            StagedBytesMissing: it is over from now on, since its bytes are lost.
            CatalogBusy, BackendUnavailable, ...: whether it is stored cannot be told now, nor where it stands.
        """
        try:
            with self.under_way.locks.hold(id, self.under_way.patience):
                return self.under_way.current(id)
        except UploadLocked:
            return self.under_way.unended(id)


@frozen
class EndUpload:
    """Drop an unfinished upload at its client's wish; a stored archive stays."""

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
class ExpireUploads:
    """Drop what lay untouched for too long, and forget what was stored a while ago."""

    under_way: UploadsUnderWay

    def __call__(self) -> int:
        """How many unfinished uploads were dropped."""
        done = sorted((one for one in self.under_way.sessions.all() if not one.is_open), key=lambda one: one.touched_at)
        limit = self.under_way.clock.now() - STORED_KEPT
        for number, upload in enumerate(done, start=1):
            if upload.touched_at < limit or number <= len(done) - STORED_AT_MOST or uploads.led_nowhere(upload):
                with suppress(TarkeepError):
                    self.under_way.store.discard(upload.id)
                    self.under_way.sessions.remove(upload.id)
        return self.overdue()

    def overdue(self) -> int:
        """The first of it alone, which is quick."""
        return sum(
            self.end_idle(upload, "it expired", self.under_way.idle) for upload in self.under_way.sessions.unfinished()
        )

    def is_idle(self, upload: Upload, since: timedelta) -> bool:
        """Whether nobody touched *upload* for longer than *since*."""
        return upload.expires_at(since) < self.under_way.clock.now()

    def end_idle(self, upload: Upload, why: str, since: timedelta) -> bool:
        """End *upload* if it `is_idle` and no request is sending for it; whether it was ended."""
        under_way = self.under_way
        if not self.is_idle(upload, since):
            return False
        try:
            with under_way.locks.hold(upload.id, timedelta(0)):
                upload = under_way.sessions.get(upload.id)
                if not upload.is_open or not self.is_idle(upload, since):
                    return False
                under_way.end(upload, why)
        except TarkeepError:
            return False
        return True
