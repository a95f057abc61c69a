"""Refusing an archive before its bytes are sent: for its size, its quota, its parent, or lack of free space."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from attrs import frozen

from ...archives.archive import ArchiveState, BackupArchive, Offer
from ...archives.totals import Sums
from ...chains.links import base_types
from ...chains.neighbours import order
from ...errors.archives import ArchiveNotFound
from ...errors.restoring import ParentMismatch
from ...identity.archive_id import ArchiveId
from ...identity.naming import time_in_name
from ...ports.catalog import Catalog, Holding, Judge, admits_all
from ...ports.store import ArchiveStore
from ...profiles.capacity import NO_RESERVE, Reserve, check_quota, check_room, check_size
from ...profiles.rules import NO_RULES, Rules
from ...uploads import Upload, held_bytes
from ..restoring.load_points import LoadPoints
from ..retention.trash import is_in_trash


def _no_uploads() -> Sequence[Upload]:
    """For receivers without resumable uploads."""
    return ()


@frozen
class AdmissionChecks:
    """
    What an archive must pass, by its offer and its size: before its bytes are sent, while they come, and at the end.

    No use case: receives and resumable uploads ask each question at their own time.

    *max_bytes* bounds one archive (None: only the medium does); *reserve* is the space kept free on the medium.
    *unfinished* gives the resumable uploads that have not ended: they count toward quotas.
    """

    store: ArchiveStore
    catalog: Catalog
    load: LoadPoints
    max_bytes: int | None
    rules: Rules = NO_RULES
    reserve: Reserve = NO_RESERVE
    unfinished: Callable[[], Sequence[Upload]] = _no_uploads

    def offer(self, offer: Offer, coming_bytes: int = 0, instead_of: Collection[str] = ()) -> None:
        """
        Judge *offer* by its declarations and by the room in its profile, before a byte is sent.

        Raises:
            QuotaExceeded: the profile may not hold *coming_bytes* more, or one more archive.
            ParentMismatch: its parent is not stored, or is not the one to build on. An offer whose name is stored
                already is not judged: it is probably a retry. Nor is a copy.
        """
        if self.rules.has_quota(offer.id.profile) and self.stored(offer.id) is None:
            self.quota(offer.id, coming_bytes, instead_of)
        self.parent(offer)

    def room(self, coming_bytes: int = 0) -> None:
        """Check that the medium has room for that many more bytes. Raises InsufficientStorage."""
        check_room(self.store.usage(), self.reserve, coming_bytes)

    def parent(self, offer: Offer) -> None:
        """Judge the parent that *offer* declares, as `offer` does. Raises ParentMismatch."""
        if offer.is_copy:  # what it builds on may have been removed here, or come later
            return
        if offer.lineage.parent is not None and not self.is_known(offer.id):
            zone = self.rules.of(offer.id.profile).time_zone
            points = self.load(offer.id.profile)
            try:
                points.check_lineage(offer, offer.taken_at or time_in_name(offer.id.name, zone))
            except ParentMismatch as mismatch:
                if not self._comes_back(mismatch.stated, mismatch.expected, offer):
                    raise

    def _comes_back(self, parent: ArchiveId, expected: ArchiveId | None, offer: Offer) -> bool:
        """
        Whether *parent*, which *offer* declares, is in the trash, and is what a dump would have continued from.

        It was asked for, and was removed while the dump was made; a receive brings it back. *expected* is what a dump
        would continue from now.
        """
        among = self.catalog.neighbours(parent.profile)
        removed = among.named(parent)
        if removed is None or removed.state is not ArchiveState.TRASHED or not is_in_trash(parent, self.store):
            return False
        before = offer.lineage.snapshot_before
        if before is not None and before == removed.lineage.snapshot_after:
            return True
        if parent.type not in base_types(offer.id.type, self.rules.of(parent.profile)):
            return False
        newest = None if expected is None else among.named(expected)
        return newest is None or order(newest) < order(removed)

    def upload(self, upload: Upload) -> None:
        """
        Check that the quota of its profile has room for the bytes that the unfinished *upload* holds or will hold.

        An archive that is sent again needs no more room than the stored one, for one upload at a time.

        Raises:
            QuotaExceeded: the quota has no room.
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
        id = None if upload.offer is None else upload.offer.id
        self._check(profile, id, held_bytes(upload), (upload.id,), self.catalog.holding(profile))

    def size(self, size_bytes: int) -> None:
        """Check that an archive may be that large. Raises TooLarge."""
        check_size(size_bytes, self.max_bytes)

    def may_be_opaque(self, offer: Offer) -> bool:
        """Whether the profile of *offer* accepts archives that cannot be read."""
        return self.rules.of(offer.id.profile).allow_opaque

    def quota(self, id: ArchiveId, coming_bytes: int, instead_of: Collection[str]) -> None:
        """Check that the profile of *id* may hold that many more bytes under it. Raises QuotaExceeded."""
        self.judge(id, coming_bytes, instead_of)(self.catalog.holding(id.profile))

    def judge(self, id: ArchiveId, coming_bytes: int, instead_of: Collection[str]) -> Judge:
        """The same for a claim on *id*, whose profile has a quota or none."""
        if not self.rules.has_quota(id.profile):
            return admits_all
        return lambda held: self._check(id.profile, id, coming_bytes, instead_of, held)

    def _check(
        self, profile: str, id: ArchiveId | None, coming_bytes: int, instead_of: Collection[str], held: Holding
    ) -> None:
        claimed = {other: size_bytes for other, size_bytes in held.claimed.items() if other != id}
        # asked for after *held*, so that an upload that becomes an archive meanwhile is not counted twice
        beside = sum(
            held_bytes(upload)
            for upload in self.unfinished()
            if upload.held_for == profile and upload.id not in instead_of and not self._is_counted(upload, claimed)
        )
        rows = (held.stored, Sums(len(claimed), sum(claimed.values())))
        check_quota(profile, self.rules.of(profile), rows, coming_bytes, beside)

    def is_known(self, id: ArchiveId) -> bool:
        """Whether an archive of that identity is stored, or was until the profile's policy removed it."""
        return self.stored(id) is not None or bool(self.catalog.removed(id.profile, id.type, [id.name]))

    def stored(self, id: ArchiveId) -> BackupArchive | None:
        """The stored archive of that identity, or None."""
        try:
            return self.catalog.find(id)
        except ArchiveNotFound:
            return None

    def _is_counted(self, upload: Upload, claimed: Collection[ArchiveId]) -> bool:
        """Whether *upload* is stored already, or is just being; its session records that a moment later."""
        if upload.sha256 is None or upload.offer is None:
            return False
        if upload.offer.id in claimed:
            return True
        stored = self.stored(upload.offer.id)
        return stored is not None and stored.digests.sha256 == upload.sha256
