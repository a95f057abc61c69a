"""
Beginning resumable uploads, within the limits on unfinished uploads and the quotas of profiles.

The rule: an unfinished upload counts with its final size, so that no sender holds more in pieces than it may as
archives; but abandoned uploads must not keep a client from sending. Without room, uploads of the same sender that lay
untouched for a while give way, the oldest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from attrs import frozen

from ... import uploads
from ...archives.archive import Offer
from ...errors.archives import ArchiveNotFound
from ...errors.capacity import QuotaExceeded
from ...errors.uploads import TooManyUploads
from ...ports.system import IdSource
from ...uploads import Upload
from ..receiving.admission import AdmissionChecks
from ..receiving.outcome import SameName, conflict_with
from ..receiving.settle import StoreArchive
from .open_uploads import ExpireOverdue, UploadsUnderWay

GIVES_WAY_AFTER = timedelta(minutes=1)
"""An upload must have lain untouched for this long; a client between two requests has not abandoned it."""

_GAVE_WAY = "it lay untouched and gave way to another upload"


@frozen
class BeginUpload:
    """Begin a resumable upload, of a whole archive or of a piece of one."""

    under_way: UploadsUnderWay
    ids: IdSource
    expire: ExpireOverdue
    admission: AdmissionChecks
    settle: StoreArchive
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
        *profile* is the profile whose quota a partial upload counts toward, if known.

        Raises:
            TooLarge, EmptyArchive: the length is not acceptable.
            TooManyUploads: this *client*, its token or the server has too many unfinished uploads.
            ParentMismatch: as `AdmissionChecks.offer`.
            NameConflict: by the declared SHA-256, other bytes are stored under that name.
            InsufficientStorage, QuotaExceeded: the medium or the profile has no room.
        """
        self._make_way(client, owner)
        upload = uploads.begin(
            self.ids.new(),
            offer,
            length_bytes,
            self.under_way.clock.now(),
            max_bytes=self.admission.max_bytes,
            client=client,
            metadata=metadata,
            owner=owner,
            profile=profile,
        )
        if offer is not None:
            self.admission.parent(offer)
            self._refuse_other_bytes(offer)
        self.admission.room(length_bytes or 0)
        self._save(upload)
        return upload

    def _make_way(self, client: str, owner: str | None) -> None:
        """Check that *client*, or the token *owner*, may begin one more upload. Raises TooManyUploads."""
        self.expire()
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
        return self.under_way.end_idle(upload, _GAVE_WAY, GIVES_WAY_AFTER)

    def _save(self, upload: Upload) -> None:
        profile = upload.held_for
        if profile is None or not self.admission.rules.has_quota(profile):
            self.under_way.sessions.save(upload)
            return
        with self.settle.names.hold_profile(profile):
            try:
                self._save_if_admitted(upload)
            except QuotaExceeded as refusal:
                self._save_instead(refusal, upload)

    def _save_if_admitted(self, upload: Upload) -> None:
        self.under_way.sessions.save(upload, lambda: self.admission.upload(upload))

    def _save_instead(self, refusal: QuotaExceeded, upload: Upload) -> None:
        """
        Let as many uploads of the same sender give way as *upload* needs, and save it; none if even all would not
        suffice.
        """
        idle = [one for one in self._beside(upload) if self.under_way.is_idle(one, GIVES_WAY_AFTER)]
        if refusal.what != "bytes" or sum(map(uploads.held_bytes, idle)) < refusal.needed - refusal.free:
            raise refusal
        for one in idle:
            self._gives_way(one)
            try:
                self._save_if_admitted(upload)
            except QuotaExceeded:
                continue
            return
        raise refusal  # an idle upload was continued in the meantime

    def _beside(self, upload: Upload) -> Sequence[Upload]:
        same = [
            one
            for one in self.under_way.sessions.unfinished()
            if (one.held_for, one.owner) == (upload.held_for, upload.owner)
        ]
        return sorted(same, key=lambda one: one.touched_at)

    def _refuse_other_bytes(self, offer: Offer) -> None:
        declared = offer.digests.sha256
        if declared is None or self.settle.same_name is not SameName.REJECT:
            return
        try:
            existing = self.settle.catalog.find(offer.id)
        except ArchiveNotFound:
            return
        if existing.digests.sha256 != declared:
            raise conflict_with(offer.id, existing)
