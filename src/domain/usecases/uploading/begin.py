"""
Beginning resumable uploads, within what may be unfinished at a time and what profiles may hold.

The rule: what is unfinished counts as what it will be, so that nobody holds more in pieces than he may as archives; but
what was abandoned keeps nobody from sending. Where there is no room, uploads of the same sender that nobody touched for
a while give way, the oldest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from attrs import frozen

from ... import uploads
from ...archives.archive import Offer
from ...errors.archives import ArchiveNotFound, NameConflict
from ...errors.capacity import QuotaExceeded
from ...errors.uploads import TooManyUploads
from ...ports.system import IdSource
from ...uploads import Upload
from ..receiving.outcome import SameName
from ..receiving.receive import ReceiveArchive
from .open_uploads import ExpireUploads, UploadsUnderWay

GIVES_WAY_AFTER = timedelta(minutes=1)
"""For so long an upload must have lain untouched; who is between two requests is not abandoned."""

_GAVE_WAY = "it lay untouched and gave way to another"


@frozen
class BeginUpload:
    """Begin a resumable upload, of a whole archive or of a piece of one."""

    under_way: UploadsUnderWay
    ids: IdSource
    expire: ExpireUploads
    receive: ReceiveArchive
    max_open: int = 1000
    max_open_per_client: int = 100
    max_open_per_token: int = 100

    def __call__(
        self,
        offer: Offer | None,
        length_bytes: int | None,
        *,
        client: str = "",
        metadata: str = "",
        owner: str | None = None,
        profile: str | None = None,
    ) -> Upload:
        """
        *profile* is whose quota the piece of an archive counts for, where that is known.

        Raises:
            TooLarge, EmptyArchive: by the length.
            TooManyUploads: unfinished ones, of this *client* or in total.
            ParentMismatch: as `AdmitOffer`.
            NameConflict: other bytes are stored under that name, as the declared SHA-256 tells beforehand.
            InsufficientStorage, QuotaExceeded: there is no room for it, or none for its profile.
        """
        self._make_way(client, owner)
        upload = uploads.begin(
            self.ids.new(),
            offer,
            length_bytes,
            self.under_way.clock.now(),
            max_bytes=self.receive.admit.max_bytes,
            client=client,
            metadata=metadata,
            owner=owner,
            profile=profile,
        )
        if offer is not None:
            self.receive.admit.parent(offer)
            self._refuse_other_bytes(offer)
        self.receive.admit.room(length_bytes or 0)
        self._save(upload)
        return upload

    def _make_way(self, client: str, owner: str | None) -> None:
        """Judge whether *client*, or the token *owner*, may begin one more upload. Raises TooManyUploads."""
        self.expire.overdue()
        unfinished = self.under_way.sessions.unfinished()
        try:
            uploads.admit(
                client,
                unfinished,
                owner=owner,
                max_per_client=self.max_open_per_client,
                max_per_token=self.max_open_per_token,
                max_total=self.max_open,
            )
        except TooManyUploads as refusal:
            if not any(map(self._gives_way, uploads.counted(refusal, unfinished, client, owner))):
                raise

    def _gives_way(self, upload: Upload) -> bool:
        return self.expire.end_idle(upload, _GAVE_WAY, GIVES_WAY_AFTER)

    def _save(self, upload: Upload) -> None:
        profile = upload.held_for
        if profile is None or not self.receive.admit.rules.has_quota(profile):
            self.under_way.sessions.save(upload)
            return
        with self.receive.settle.names.hold_profile(profile):
            try:
                self.receive.admit.upload(upload)
            except QuotaExceeded as refusal:
                self._make_room(refusal, upload)
            self.under_way.sessions.save(upload)

    def _make_room(self, refusal: QuotaExceeded, upload: Upload) -> None:
        """Let as many uploads of the same sender give way as *upload* needs, or none where all would not do."""
        idle = [one for one in self._beside(upload) if self.expire.is_idle(one, GIVES_WAY_AFTER)]
        if refusal.what != "bytes" or sum(map(uploads.held_bytes, idle)) < refusal.needed - refusal.free:
            raise refusal
        for one in idle:
            self._gives_way(one)
            try:
                self.receive.admit.upload(upload)
            except QuotaExceeded:
                continue
            return
        raise refusal  # one that was idle a moment ago is gone on with

    def _beside(self, upload: Upload) -> Sequence[Upload]:
        same = [
            one
            for one in self.under_way.sessions.unfinished()
            if (one.held_for, one.owner) == (upload.held_for, upload.owner)
        ]
        return sorted(same, key=lambda one: one.touched_at)

    def _refuse_other_bytes(self, offer: Offer) -> None:
        declared = offer.digests.sha256
        if declared is None or self.receive.settle.same_name is not SameName.REJECT:
            return
        try:
            existing = self.receive.settle.catalog.find(offer.id)
        except ArchiveNotFound:
            return
        if existing.digests.sha256 != declared:
            raise NameConflict(offer.id, existing.digests.sha256)
