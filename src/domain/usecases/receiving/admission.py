"""Refusing what cannot be received before its bytes are sent: by its size, its quota, its parent, the room there is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from attrs import frozen

from ...archives.archive import BackupArchive, Offer
from ...errors.archives import ArchiveNotFound
from ...identity.archive_id import ArchiveId
from ...identity.naming import time_in_name
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore
from ...profiles.capacity import NO_RESERVE, Reserve, check_quota, check_room, check_size
from ...profiles.rules import NO_RULES, Rules
from ...uploads import Upload, held_bytes
from ..restoring.load_points import LoadPoints


def _no_uploads() -> Sequence[Upload]:
    """For receives beside which there are no resumable uploads."""
    return ()


@frozen
class AdmitOffer:
    """
    Judges offers and what is under way.

    *max_bytes* bounds one archive (None: the medium alone does), *reserve* is what stays free of the medium.
    *unfinished* gives the resumable uploads that were begun and not ended: they count for quotas.
    """

    store: ArchiveStore
    catalog: Catalog
    load: LoadPoints
    max_bytes: int | None
    rules: Rules = NO_RULES
    reserve: Reserve = NO_RESERVE
    unfinished: Callable[[], Sequence[Upload]] = _no_uploads

    def __call__(self, offer: Offer, coming_bytes: int = 0, instead_of: Collection[str] = ()) -> None:
        """
        Judge *offer* by what it says, and whether its profile has room, before a byte of it was sent.

        Raises:
            QuotaExceeded: its profile may not hold *coming_bytes* more, or not one more archive.
            ParentMismatch: its parent is not stored, or not the one to build on. One that is stored under its own name
                already is not judged: what comes is perhaps the same again.
        """
        if self.rules.has_quota(offer.id.profile) and self.stored(offer.id) is None:
            self.quota(offer.id.profile, coming_bytes, instead_of)
        self.parent(offer)

    def room(self, coming_bytes: int = 0) -> None:
        """Judge whether the medium has room for that much more. Raises InsufficientStorage."""
        check_room(self.store.usage(), self.reserve, coming_bytes)

    def parent(self, offer: Offer) -> None:
        """Judge the parent that *offer* states, as calling does. Raises ParentMismatch."""
        if offer.lineage.parent is not None and self.stored(offer.id) is None:
            zone = self.rules.of(offer.id.profile).time_zone
            points = self.load(offer.id.profile)
            points.check_lineage(offer, offer.taken_at or time_in_name(offer.id.name, zone))

    def upload(self, upload: Upload) -> None:
        """
        Judge whether the quota of its profile has room for what the unfinished *upload* holds, or will.

        Sent again, what is stored takes no more room than it has: once at a time.

        Raises:
            QuotaExceeded: it has not.
        """
        profile = upload.held_for
        if profile is None or not self.rules.has_quota(profile):
            return
        if upload.offer is not None and not any(
            other.offer is not None and other.offer.id == upload.offer.id and other.id != upload.id
            for other in self.unfinished()
        ):
            stored = self.stored(upload.offer.id)
            if stored is not None and held_bytes(upload) <= stored.size_bytes:
                return
        self.quota(profile, held_bytes(upload), (upload.id,))

    def size(self, size_bytes: int) -> None:
        """Judge whether an archive may be that large. Raises TooLarge."""
        check_size(size_bytes, self.max_bytes)

    def may_be_opaque(self, offer: Offer) -> bool:
        """Whether the profile of *offer* takes in what cannot be read."""
        return self.rules.of(offer.id.profile).allow_opaque

    def quota(self, profile: str, coming_bytes: int, instead_of: Collection[str]) -> None:
        """Judge whether *profile* may hold that much more. Raises QuotaExceeded."""
        # asked in this order, so that an upload that becomes an archive meanwhile does not count twice
        totals = self.catalog.totals(profile)
        beside = sum(
            held_bytes(upload)
            for upload in self.unfinished()
            if upload.held_for == profile and upload.id not in instead_of and not self._is_stored(upload)
        )
        check_quota(profile, self.rules.of(profile), totals, coming_bytes, beside)

    def stored(self, id: ArchiveId) -> BackupArchive | None:
        """The archive of that name, if there is one."""
        try:
            return self.catalog.find(id)
        except ArchiveNotFound:
            return None

    def _is_stored(self, upload: Upload) -> bool:
        """Whether *upload* is an archive already, which is noted a moment later."""
        if upload.sha256 is None or upload.offer is None:
            return False
        stored = self.stored(upload.offer.id)
        return stored is not None and stored.digests.sha256 == upload.sha256
