"""
Storing a completely received archive under its name: the second half of a receive.

Make it durable, claim the identity, publish, confirm. If the name already has the same bytes, that is a success, and
repairs a damaged stored copy; other bytes are a conflict, or are kept beside the stored ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from attrs import evolve, frozen

from ...archives import sidecar
from ...archives.archive import ArchiveState, BackupArchive, Contents, Copied, Kind, Offer, is_bound
from ...chains.links import base_types
from ...errors.archives import (
    AlreadyPublished,
    ArchiveNotFound,
    ClaimLost,
    InvalidSidecar,
    NameConflict,
    ReceiveInProgress,
)
from ...errors.retention import MarksUnreadable
from ...identity.archive_id import ArchiveId
from ...identity.digests import Digests
from ...identity.invalid import InvalidName
from ...identity.naming import with_time
from ...ports.catalog import Catalog, Judge, TakenClaim
from ...ports.members import RecordsWriter
from ...ports.store import ArchiveStore, ArchiveWriter
from ...ports.system import Clock, NameLocks
from ...retention import marks
from ...retention.marks import UNMARKED, Marks
from ...tarkeep_error import TarkeepError
from ..linking.profile_links import ProfileLinks
from ..retention.judge import JudgeArchive
from ..retention.protect import change_marks
from ..retention.trash import finish_purge, is_in_trash
from ..retention.undelete import WayBack
from .admission import AdmissionChecks
from .claims import HeldClaim, HoldClaim, settle_claim
from .outcome import Received, ReceiveOutcome, SameName, conflict_with

_BESIDE_AT_ONCE = 500


@frozen
class StoreArchive:
    """
    Store a staged archive, or find that it is stored already.

    *patience* is how long to wait for another receive of the same identity.
    """

    store: ArchiveStore
    catalog: Catalog
    clock: Clock
    names: NameLocks
    claims: HoldClaim
    links: ProfileLinks
    admission: AdmissionChecks
    judge: JudgeArchive
    way_back: WayBack
    same_name: SameName = SameName.REJECT
    patience: timedelta = timedelta(seconds=10)

    def __call__(
        self,
        offer: Offer,
        writer: ArchiveWriter,
        digests: Digests,
        contents: Contents | None,
        recording: RecordsWriter,
        instead_of: Collection[str] = (),
    ) -> Received:
        """Check, seal and publish the bytes of *writer*; *recording* has their members, if *contents* are known."""
        offer.digests.check(digests)
        self.admission.offer(offer, writer.size_bytes, instead_of)
        now = self.clock.now()
        received_at = offer.received_at or now
        copied = None
        if offer.is_copy:  # no server received it after it arrived here, whatever its clock shows
            received_at = min(received_at, now)
            copied = Copied(now, received_at < self._newest_receipt(offer.id.profile, received_at))
        archive = BackupArchive.described(
            offer.id,
            writer.size_bytes,
            digests,
            received_at,
            contents,
            offer.taken_at,
            offer.lineage,
            self.admission.rules.of(offer.id.profile).time_zone,
            offer.notes,
        )
        archive = evolve(archive, taken_at=max(archive.taken_at, self._not_before(archive)), copied=copied)
        writer.seal(sidecar.encode(archive))
        return self._settle(archive, writer, recording, instead_of)

    def _newest_receipt(self, profile: str, otherwise: datetime) -> datetime:
        return max((row.newest for row in self.catalog.totals(profile)), default=otherwise)

    def _not_before(self, archive: BackupArchive) -> datetime:
        """
        The earliest time at which *archive* can have been taken: the time of the archive that it is known to build on.

        If neither a parent nor a time is declared, and by the times of its members no archive comes before it, this is
        the time of the newest earlier archive that it may build on by rule: in an INC of an unchanged tree all times
        are old.
        """
        among, lineage = self.catalog.neighbours(archive.id.profile), archive.lineage
        parents: Sequence[BackupArchive | None]
        if lineage.snapshot_before is not None:
            parents = [one for one in among.leaving(lineage.snapshot_before) if one.id != archive.id][:1]
        elif lineage.parent is not None:
            parents = [among.named(ArchiveId(archive.id.profile, *lineage.parent))]
        else:
            rules = self.admission.rules.of(archive.id.profile)
            types = base_types(archive.id.type, rules)
            if not types or not is_bound(archive, rules.time_zone) or among.newest_before(archive, types) is not None:
                return archive.taken_at
            parents = [among.newest_before(evolve(archive, taken_at=archive.received_at), types)]
        times = [one.placed_at for one in parents if one is not None]
        return max(times, default=archive.taken_at)

    def _settle(
        self, archive: BackupArchive, writer: ArchiveWriter, recording: RecordsWriter, instead_of: Collection[str]
    ) -> Received:
        with self.names.hold(archive.id, self.patience):
            existing = self._store(archive, writer, recording, instead_of)
            if isinstance(existing, Received):
                return self._acknowledged(existing)
            if existing.digests.sha256 == archive.digests.sha256:
                return self._acknowledged(self._known_again(existing, writer))
            if self.same_name is SameName.REJECT:
                raise conflict_with(archive.id, existing)
            kept = self._kept_beside(archive.id, archive.digests.sha256)
            if kept is not None:
                return self._acknowledged(self._known(kept, writer))
            beside = self._beside(archive, existing)
            writer.seal(sidecar.encode(beside))
            return evolve(self._settle(beside, writer, recording, instead_of), outcome=ReceiveOutcome.KEPT_BOTH)

    def _acknowledged(self, received: Received) -> Received:
        """
        *received* with its point; without it if the archive is opaque, or if working it out takes too long.

        If the policy of its profile says so, the archive is locked before its sender is answered.
        """
        until = self._locked_until(received.archive)
        if until is not None and received.outcome is not ReceiveOutcome.NEW:  # a new one was published with its lock
            with suppress(MarksUnreadable):  # they protect it all the same
                change_marks(received.archive.id, lambda present: present.locked(until), self.store, self.catalog)
        contents = received.archive.contents
        return self._with_what_it_builds_on(received, is_opaque=contents is None or contents.kind is Kind.OPAQUE)

    def _with_what_it_builds_on(self, received: Received, *, is_opaque: bool) -> Received:
        """*received* with its point, after what it builds on came back from the trash."""
        archive, back = received.archive, list(received.brought_back)
        while True:
            point = None if is_opaque else self.links.place(archive)
            if point is not None and point.standing is not None and point.standing.is_restorable:
                break
            try:
                base = self.way_back.missing_base(archive, point)
                if base is None or base in back:
                    break
                with self.names.hold_profile(base.profile):
                    back += self.way_back.bring(base)
            except TarkeepError:  # it is stored all the same, and its point says what it lacks
                break
        return evolve(received, point=point, brought_back=tuple(back))

    def _store(
        self, archive: BackupArchive, writer: ArchiveWriter, recording: RecordsWriter, instead_of: Collection[str]
    ) -> Received | BackupArchive:
        """
        Claim the identity of *archive* and publish it. Returns the outcome, or else the archive that has the identity.
        """
        judge = self.admission.judge(archive.id, archive.size_bytes, instead_of)
        with self._counting(archive.id.profile):
            claim = self.claims.take(archive, self.patience, judge)
            if isinstance(claim, HeldClaim):
                return self._publish(archive, claim, writer, recording)
        if claim.state is ArchiveState.TRASHED:
            with self.names.hold_profile(archive.id.profile):
                return self._store_again(claim, archive, judge, writer, recording)
        return claim

    def _store_again(
        self,
        removed: BackupArchive,
        archive: BackupArchive,
        judge: Judge,
        writer: ArchiveWriter,
        recording: RecordsWriter,
    ) -> Received | BackupArchive:
        """
        Store *archive*, whose identity *removed* has, an archive that was removed by the profile's policy.

        The same bytes are what was received long ago: they get that receipt, and the policy treats them as before.
        Returns the outcome, or else the archive that has the identity; it may be in the trash. The profile is held.
        """
        is_same = removed.digests.sha256 == archive.digests.sha256
        if is_in_trash(removed.id, self.store):
            return removed
        finish_purge(removed.id, self.store, self.clock.now())
        if is_same:
            archive = evolve(archive, received_at=removed.received_at, taken_at=removed.taken_at)
            writer.seal(sidecar.encode(archive))
        self.catalog.forget(removed.id)
        try:
            claim = self.claims.take(archive, self.patience, judge)
            return self._publish(archive, claim, writer, recording) if isinstance(claim, HeldClaim) else claim
        except TarkeepError:
            with suppress(TarkeepError):  # what was known of it stays known; a claim that is left open goes first
                self.catalog.adopt([removed])
            raise

    @contextmanager
    def _counting(self, profile: str) -> Iterator[None]:
        """In the context nobody else adds to *profile*, if it has a quota: two do not refuse each other."""
        if not self.admission.rules.has_quota(profile):
            yield
            return
        with self.names.hold_profile(profile):
            yield

    def stored_as(self, offer: Offer, sha256: str) -> BackupArchive | None:
        """
        The archive under which bytes with *sha256*, offered as *offer*, are stored; None if they are not stored whole.

        A claim that a failed receive of these bytes left is settled first.
        """
        with suppress(ReceiveInProgress), self.names.hold(offer.id, timedelta(0)):
            for claim in self.catalog.open_claims():
                if claim.digests.sha256 == sha256 and self._may_be_kept_as(offer.id, claim.id):
                    self.claims.settle_left(claim.id)
        existing = self.admission.stored(offer.id)
        if existing is not None and existing.digests.sha256 != sha256:
            existing = self._kept_beside(offer.id, sha256) if self.same_name is SameName.KEEP_BOTH else None
        # a damaged copy differs from what was sent: it waits for a repair
        return existing if existing is not None and existing.state is ArchiveState.STORED else None

    def _may_be_kept_as(self, offered: ArchiveId, id: ArchiveId) -> bool:
        return (id.profile, id.type) == (offered.profile, offered.type) and (
            id.name == offered.name or id.name.startswith(self._stem_beside(offered))
        )

    def _publish(
        self, archive: BackupArchive, claim: HeldClaim, writer: ArchiveWriter, recording: RecordsWriter
    ) -> Received:
        if archive.contents is not None and archive.contents.kind is not Kind.OPAQUE:
            recording.publish(archive.digests.sha256)  # a judgement looks at them
        try:
            found = Marks(locked_until=self._locked_until(archive), suspicion=self.judge(archive))
            if found != UNMARKED:
                writer.seal(sidecar.encode(archive), marks.encode(evolve(found, of=str(archive.id))))
            claim = self.claims.secured(claim, archive)
            writer.publish(archive.id)
        except AlreadyPublished:
            self.claims.give_up(claim)
            return self._adopt_uncatalogued(archive)
        except Exception:
            self.claims.give_up(claim)
            raise
        try:
            self.catalog.confirm(archive, claim.token)
        except ClaimLost:
            return self._enter_without_claim(archive)
        except TarkeepError:
            # try once more, or give up; failing that, the open claim waits for the next receive or start
            try:
                kept = settle_claim(
                    TakenClaim(archive, claim.token), self.store, self.catalog, is_alone=self.claims.is_alone
                )
            except ClaimLost:
                return self._enter_without_claim(archive)
            if not kept:
                raise
        return Received(archive, ReceiveOutcome.NEW)

    def _enter_without_claim(self, archive: BackupArchive) -> Received:
        """Enter *archive*, which was published when its claim had been lost. The side-car tells what is there now."""
        try:
            stored = self.store.stat(archive.id)
        except ArchiveNotFound:  # somebody removed it again
            raise ReceiveInProgress(archive.id) from None
        if stored.sidecar != sidecar.encode(archive):
            return self._adopt_uncatalogued(archive)
        self.claims.enter(archive, self.patience)
        return Received(archive, ReceiveOutcome.NEW)

    def _locked_until(self, archive: BackupArchive) -> datetime | None:
        """Until when *archive* is locked because it was received; None if the policy of its profile locks nothing."""
        policy = self.admission.rules.of(archive.id.profile).retention
        if policy is None or not policy.lock_for.count:
            return None
        return policy.lock_for.after(archive.here_since)

    def _adopt_uncatalogued(self, archive: BackupArchive) -> Received:
        """Enter an archive that only the store has under this identity; refuse these bytes if it has others."""
        stored = self.store.stat(archive.id)
        try:
            found = sidecar.decode(stored.sidecar or b"")
        except InvalidSidecar:
            raise NameConflict(archive.id, None) from None
        if found.id != archive.id:  # a person copied it here from the place it describes
            raise NameConflict(archive.id, None)
        if stored.size_bytes == found.size_bytes:
            self.claims.enter(found, self.patience)
        if found.digests.sha256 != archive.digests.sha256 or stored.size_bytes != archive.size_bytes:
            raise NameConflict(archive.id, found.digests.sha256)
        return Received(found, ReceiveOutcome.DUPLICATE)

    def _known_again(self, existing: BackupArchive, writer: ArchiveWriter) -> Received:
        """As `_known`, for bytes that may be in the trash; from there they come back with what they build on."""
        if existing.state is not ArchiveState.TRASHED:
            return self._known(existing, writer)
        with self.names.hold_profile(existing.id.profile):
            back = self.way_back.bring(existing.id)
        known = self._known(self.catalog.find(existing.id), writer)
        return evolve(known, brought_back=back)

    def _known(self, existing: BackupArchive, writer: ArchiveWriter) -> Received:
        """Answer for bytes that are stored already; write them again if the stored copy is damaged."""
        if self._is_whole(existing):
            return Received(existing, ReceiveOutcome.DUPLICATE)
        with self.names.hold_profile(existing.id.profile):  # so that nobody removes it meanwhile
            try:
                existing = self.catalog.find(existing.id)
            except ArchiveNotFound:  # it was removed meanwhile: sent again, it comes back
                raise ReceiveInProgress(existing.id) from None
            if self._is_whole(existing):
                return Received(existing, ReceiveOutcome.DUPLICATE)
            whole = evolve(existing, state=ArchiveState.STORED)
            self.catalog.mark(existing.id, ArchiveState.DAMAGED)
            writer.seal(sidecar.encode(whole))
            writer.replace(existing.id)
            self.catalog.mark(existing.id, ArchiveState.STORED)
        self.judge.notifier.whole(existing.id)
        return Received(whole, ReceiveOutcome.REPAIRED)

    def _is_whole(self, archive: BackupArchive) -> bool:
        """Whether *archive* is not known to be damaged, and has its length."""
        return archive.state is ArchiveState.STORED and self._size_in_store(archive.id) == archive.size_bytes

    def _size_in_store(self, id: ArchiveId) -> int | None:
        try:
            return self.store.stat(id).size_bytes
        except ArchiveNotFound:
            return None

    def _kept_beside(self, id: ArchiveId, sha256: str) -> BackupArchive | None:
        """The archive that keeps these bytes beside the name of *id*, so that a retry does not keep them twice."""
        stem = self._stem_beside(id)
        names = self.catalog.names(id.profile, id.type, after=stem, limit=_BESIDE_AT_ONCE)
        while names:
            beside = [name for name in names if name.startswith(stem)]
            for entry in self.catalog.look_up(id.profile, id.type, beside) if beside else []:
                if entry.sha256 == sha256:
                    return self.catalog.find(evolve(id, name=entry.name))
            if beside != names:
                return None
            names = self.catalog.names(id.profile, id.type, after=names[-1], limit=_BESIDE_AT_ONCE)
        return None

    def _stem_beside(self, id: ArchiveId) -> str:
        """The beginning of all names under which archives are kept beside *id*."""
        return with_time(id.name, self.clock.now())[: -len("YYYY-MM-DDTHH-MM-SSZ.tar.gz")]

    def _beside(self, archive: BackupArchive, existing: BackupArchive) -> BackupArchive:
        """*archive* under a name that contains its receive time."""
        try:
            return evolve(archive, id=evolve(archive.id, name=with_time(archive.id.name, archive.received_at)))
        except InvalidName:  # with the time the name would be too long
            raise conflict_with(archive.id, existing) from None
