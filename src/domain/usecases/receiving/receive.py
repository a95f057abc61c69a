"""
Receiving an archive: the only way in, for every route.

The order of steps is the promise. Stage the bytes while hashing and inspecting them; check what was declared; make
them durable; claim the identity; publish; confirm; only then answer. Until it is published nothing is visible, and
once it is answered nothing short of losing the disk loses it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from enum import Enum
from typing import TypeVar

from attrs import define, evolve, frozen

from ...archives import sidecar
from ...archives.archive import ArchiveState, BackupArchive, Contents, Kind, Offer, is_bound
from ...archives.block_sums import BLOCK_BYTES, RunningSums
from ...chains.links import base_types
from ...chains.seen import told_of
from ...chains.standing import PlacedArchive, doubts_about_bytes
from ...errors.archives import AlreadyPublished, ArchiveNotFound, InvalidSidecar, NameConflict, ReceiveInProgress
from ...errors.content import EmptyArchive, NotAGzip, NotATar, RejectedContent
from ...identity.archive_id import ArchiveId
from ...identity.digests import Digests
from ...identity.invalid import InvalidName
from ...identity.naming import time_in_name, with_time
from ...ports.catalog import AlreadyStored, Catalog, ClaimedElsewhere
from ...ports.inspection import Hasher, Inspector, RunningDigests, RunningInspection
from ...ports.members import MemberRecords, RecordsWriter
from ...ports.store import ArchiveStore, ArchiveWriter, Block
from ...ports.sums import ArchiveSums
from ...ports.system import Clock, NameLocks
from ...profiles.capacity import NO_RESERVE, Reserve, check_quota, check_room, check_size
from ...profiles.rules import NO_RULES, Rules
from ...tarkeep_error import TarkeepError
from ...uploads import Upload, held_bytes
from ..reading.watched_records import WatchedRecords
from ..restoring.list_points import ListPoints
from .claims import settle_claim

Looked = TypeVar("Looked")

_BESIDE_AT_ONCE = 500
ROOM_BYTES = 8 << 20
"""After so many bytes it is looked again whether there is room for more."""


def _nothing(_digests: Digests) -> None:
    """For arrivals that nobody notes anything about."""


def _no_uploads() -> Sequence[Upload]:
    """For receives beside which there are no resumable uploads."""
    return ()


class SameName(Enum):
    """What to do with other bytes under a name that is taken."""

    REJECT = "reject"
    KEEP_BOTH = "keep-both"


class ReceiveOutcome(Enum):
    """How a receive ended well."""

    NEW = "new"
    DUPLICATE = "duplicate"  # the same bytes were stored under this name before
    REPAIRED = "repaired"  # likewise, and the stored copy was missing or damaged: it is whole again
    KEPT_BOTH = "kept-both"  # the name was taken by other bytes: stored under the name in the answer


@frozen
class Received:
    """
    The stored archive, and how it came about.

    *point* is its restore point, where that does not take too long to tell.
    """

    archive: BackupArchive
    outcome: ReceiveOutcome
    point: PlacedArchive | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its sender should know: why it does not restore, and what about it does not go with its type."""
        if self.point is None or self.point.standing is None:
            return tuple(doubt.reason for doubt in doubts_about_bytes(self.archive))
        standing = self.point.standing
        obstacles = (obstacle.reason for obstacle in standing.obstacles)
        return (*obstacles, *told_of(standing.seen), *(doubt.reason for doubt in standing.doubts))


@frozen
class ReceiveArchive:
    """
    Store one archive, whole and checked, or leave no trace of it.

    *max_bytes* bounds one archive (None: the medium alone does), *reserve* is what stays free of the medium. *patience*
    is how long to wait for another receive of the same identity.
    """

    store: ArchiveStore
    catalog: Catalog
    hasher: Hasher
    inspector: Inspector
    records: MemberRecords
    clock: Clock
    names: NameLocks
    max_bytes: int | None
    points: ListPoints
    sums: ArchiveSums
    same_name: SameName = SameName.REJECT
    patience: timedelta = timedelta(seconds=10)
    rules: Rules = NO_RULES
    reserve: Reserve = NO_RESERVE
    unfinished: Callable[[], Sequence[Upload]] = _no_uploads

    def __call__(
        self, offer: Offer, blocks: Iterable[Block], announced_bytes: int = 0, instead_of: Collection[str] = ()
    ) -> Received:
        """
        Receive *blocks*, any lengths, as the archive described by *offer*; 0 *announced_bytes* is an unknown number.

        It is what becomes of the uploads *instead_of*, which do not count for a quota then.

        Blocks must not change after they were handed over. An error raised by *blocks* (such as `UploadInterrupted`)
        drops everything.

        Raises:
            TooLarge, EmptyArchive, RejectedContent, ExpandsTooFar: by the bytes.
            DigestMismatch: the bytes are not the declared ones.
            NameConflict: other bytes are stored under this identity.
            ReceiveInProgress: another receive of this identity did not end within *patience*.
            InsufficientStorage, QuotaExceeded: there is no room, or none for this profile.
        """
        self.check(offer, announced_bytes, instead_of)
        return self._receive(lambda: offer, blocks, self.may_be_opaque(offer), instead_of)

    def with_late_offer(self, offered: Callable[[], Offer], blocks: Iterable[Block]) -> Received:
        """Like calling, for a sender that says what it sends only after the bytes: *offered* is called at their end."""
        return self._receive(offered, blocks, self.rules.may_allow_opaque)

    def _receive(
        self,
        offered: Callable[[], Offer],
        blocks: Iterable[Block],
        may_be_opaque: bool,
        instead_of: Collection[str] = (),
    ) -> Received:
        with self.begin(self.store.begin(), may_be_opaque=may_be_opaque, instead_of=instead_of) as arrival:
            for block in blocks:
                arrival.take(block)
            if not arrival.size_bytes:
                raise EmptyArchive
            return arrival.complete(offered())

    def check_room(self, coming_bytes: int = 0) -> None:
        """Judge whether the medium has room for that much more. Raises InsufficientStorage."""
        check_room(self.store.usage(), self.reserve, coming_bytes)

    def check(self, offer: Offer, coming_bytes: int = 0, instead_of: Collection[str] = ()) -> None:
        """
        Judge *offer* by what it says, and whether its profile has room, before a byte of it was sent.

        Raises:
            QuotaExceeded: its profile may not hold *coming_bytes* more, or not one more archive.
            ParentMismatch: its parent is not stored, or not the one to build on. One that is stored under its own name
                already is not judged: what comes is perhaps the same again.
        """
        if self.rules.has_quota(offer.id.profile) and self._stored(offer.id) is None:
            self._check_quota(offer.id.profile, coming_bytes, instead_of)
        self.check_parent(offer)

    def check_parent(self, offer: Offer) -> None:
        """Judge the parent that *offer* states, as `check` does. Raises ParentMismatch."""
        if offer.lineage.parent is not None and self._stored(offer.id) is None:
            zone = self.rules.of(offer.id.profile).time_zone
            self.points.check_lineage(offer, offer.taken_at or time_in_name(offer.id.name, zone))

    def check_parts(self, upload: Upload) -> None:
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
            stored = self._stored(upload.offer.id)
            if stored is not None and held_bytes(upload) <= stored.size_bytes:
                return
        self._check_quota(profile, held_bytes(upload), (upload.id,))

    def may_be_opaque(self, offer: Offer) -> bool:
        """Whether the profile of *offer* takes in what cannot be read."""
        return self.rules.of(offer.id.profile).allow_opaque

    def begin(self, writer: ArchiveWriter, *, may_be_opaque: bool = False, instead_of: Collection[str] = ()) -> Intake:
        """
        An archive that arrives piece by piece, staged by *writer*, which the arrival closes.

        *may_be_opaque* puts off refusing what cannot be read until it is known whose it is. *instead_of* is as for
        calling.
        """
        with ExitStack() as held:
            held.enter_context(writer)
            digests = held.enter_context(self.hasher.start())
            recording = held.enter_context(WatchedRecords(self.records))
            inspection = held.enter_context(self.inspector.start(recording.write))
            sums = RunningSums(self.hasher.crc32)
            inside = held.pop_all()
            return Intake(self, writer, digests, sums, recording, inspection, inside, may_be_opaque, instead_of)

    def finish(
        self,
        offer: Offer,
        writer: ArchiveWriter,
        digests: Digests,
        contents: Contents | None,
        recording: RecordsWriter,
        instead_of: Collection[str] = (),
    ) -> Received:
        """Check, seal and publish what *writer* holds; *recording* has the members of it, if *contents* are known."""
        offer.digests.check(digests)
        self.check(offer, writer.size_bytes, instead_of)
        received_at = offer.received_at or self.clock.now()
        archive = BackupArchive.described(
            offer.id,
            writer.size_bytes,
            digests,
            received_at,
            contents,
            offer.taken_at,
            offer.lineage,
            self.rules.of(offer.id.profile).time_zone,
            offer.notes,
        )
        archive = evolve(archive, taken_at=max(archive.taken_at, self._not_before(archive)))
        writer.seal(sidecar.encode(archive))
        return self._settle(archive, writer, recording, instead_of)

    def _not_before(self, archive: BackupArchive) -> datetime:
        """
        The time before which *archive* was not taken, as others tell: that of what it is known to build on.

        Where nobody tells either that or a time, nor is anything by the times of its members before it, that is the
        newest archive that it may build on by rule and that came before it: in an INC of a tree that did not change all
        times are old.
        """
        among, lineage = self.catalog.neighbours(archive.id.profile), archive.lineage
        parents: Sequence[BackupArchive | None]
        if lineage.snapshot_before is not None:
            parents = [one for one in among.leaving(lineage.snapshot_before) if one.id != archive.id][:1]
        elif lineage.parent is not None:
            parents = [among.named(ArchiveId(archive.id.profile, *lineage.parent))]
        else:
            rules = self.rules.of(archive.id.profile)
            types = base_types(archive.id.type, rules)
            if not types or not is_bound(archive, rules.time_zone) or among.newest_before(archive, types) is not None:
                return archive.taken_at
            parents = [among.newest_before(evolve(archive, taken_at=archive.received_at), types)]
        times = [one.taken_at for one in parents if one is not None and not one.is_dated_ahead]
        return max(times, default=archive.taken_at)

    def _settle(
        self, archive: BackupArchive, writer: ArchiveWriter, recording: RecordsWriter, instead_of: Collection[str]
    ) -> Received:
        with self.names.hold(archive.id, self.patience):
            existing = self._store(archive, writer, recording, instead_of)
            if isinstance(existing, Received):
                return self._with_point(existing)
            if existing.digests.sha256 == archive.digests.sha256:
                return self._with_point(self._known(existing, writer))
            if self.same_name is SameName.REJECT:
                raise NameConflict(archive.id, existing.digests.sha256)
            kept = self._kept_beside(archive.id, archive.digests.sha256)
            if kept is not None:
                return self._with_point(self._known(kept, writer))
            beside = self._beside(archive, existing)
            writer.seal(sidecar.encode(beside))
            return evolve(self._settle(beside, writer, recording, instead_of), outcome=ReceiveOutcome.KEPT_BOTH)

    def _with_point(self, received: Received) -> Received:
        return evolve(received, point=self.points.of(received.archive))

    def _store(
        self, archive: BackupArchive, writer: ArchiveWriter, recording: RecordsWriter, instead_of: Collection[str]
    ) -> Received | BackupArchive:
        """Claim the identity of *archive* and publish it: what came of that, or else the archive that has it."""
        with self._room_for(archive, instead_of):
            existing = self._claim(archive)
            return self._publish(archive, writer, recording) if existing is None else existing

    @contextmanager
    def _room_for(self, archive: BackupArchive, instead_of: Collection[str]) -> Iterator[None]:
        """In the context the quota of its profile has room for *archive*, and nothing else is added to the profile."""
        if not self.rules.has_quota(archive.id.profile):
            yield
            return
        with self.names.hold_profile(archive.id.profile):
            if self._stored(archive.id) is None:
                self._check_quota(archive.id.profile, archive.size_bytes, instead_of)
            yield

    def _check_quota(self, profile: str, coming_bytes: int, instead_of: Collection[str]) -> None:
        # asked in this order, so that an upload that becomes an archive meanwhile does not count twice
        totals = self.catalog.totals(profile)
        beside = sum(
            held_bytes(upload)
            for upload in self.unfinished()
            if upload.held_for == profile and upload.id not in instead_of and not self._is_stored(upload)
        )
        check_quota(profile, self.rules.of(profile), totals, coming_bytes, beside)

    def _is_stored(self, upload: Upload) -> bool:
        """Whether *upload* is an archive already, which is noted a moment later."""
        if upload.sha256 is None or upload.offer is None:
            return False
        stored = self._stored(upload.offer.id)
        return stored is not None and stored.digests.sha256 == upload.sha256

    def stored_as(self, offer: Offer, sha256: str) -> BackupArchive | None:
        """
        The archive that bytes with *sha256*, offered as *offer*, are stored as; None where they are not, or not whole.

        What a receive of them left open whose end failed is settled first.
        """
        with suppress(ReceiveInProgress), self.names.hold(offer.id, timedelta(0)):
            for claim in self.catalog.open_claims():
                if claim.digests.sha256 == sha256 and self._may_be_kept_as(offer.id, claim.id):
                    settle_claim(claim, self.store, self.catalog)
        existing = self._stored(offer.id)
        if existing is not None and existing.digests.sha256 != sha256:
            existing = self._kept_beside(offer.id, sha256) if self.same_name is SameName.KEEP_BOTH else None
        # a damaged copy is not what was sent: it waits for being repaired
        return existing if existing is not None and existing.state is ArchiveState.STORED else None

    def _may_be_kept_as(self, offered: ArchiveId, id: ArchiveId) -> bool:
        return (id.profile, id.type) == (offered.profile, offered.type) and (
            id.name == offered.name or id.name.startswith(self._stem_beside(offered))
        )

    def _claim(self, archive: BackupArchive) -> BackupArchive | None:
        """Claim the identity of *archive*: None when it is ours, else the archive that has it."""
        outcome = self.catalog.claim(archive)
        if isinstance(outcome, ClaimedElsewhere):
            # nobody else holds the name here, so the claim is left over from a receive whose end failed
            for stale in self.catalog.open_claims():
                if stale.id == archive.id:
                    settle_claim(stale, self.store, self.catalog)
            outcome = self.catalog.claim(archive)
        if isinstance(outcome, ClaimedElsewhere):
            raise ReceiveInProgress(archive.id)
        return outcome.archive if isinstance(outcome, AlreadyStored) else None

    def _publish(self, archive: BackupArchive, writer: ArchiveWriter, recording: RecordsWriter) -> Received:
        try:
            writer.publish(archive.id)
        except AlreadyPublished:
            self.catalog.release(archive.id)
            return self._adopt_uncatalogued(archive)
        except Exception:
            self.catalog.release(archive.id)
            raise
        if archive.contents is not None and archive.contents.kind is not Kind.OPAQUE:
            recording.publish(archive.digests.sha256)
        try:
            self.catalog.confirm(archive)
        except TarkeepError:
            # once more, or take it back; failing that, the open claim waits for the next receive or start
            try:
                kept = settle_claim(archive, self.store, self.catalog)
            except ArchiveNotFound:
                kept = True  # no claim is open any more: what failed had taken effect
            if not kept:
                raise
        return Received(archive, ReceiveOutcome.NEW)

    def _adopt_uncatalogued(self, archive: BackupArchive) -> Received:
        """The store holds the identity and the catalog knows nothing of it: take it in if it is these very bytes."""
        stored = self.store.stat(archive.id)
        try:
            found = sidecar.decode(stored.sidecar or b"")
        except InvalidSidecar:
            raise NameConflict(archive.id, None) from None
        if found.id != archive.id:  # copied here by hand from the place it describes
            raise NameConflict(archive.id, None)
        if found.digests.sha256 != archive.digests.sha256 or stored.size_bytes != archive.size_bytes:
            raise NameConflict(archive.id, found.digests.sha256)
        self.catalog.adopt([found])
        return Received(found, ReceiveOutcome.DUPLICATE)

    def _known(self, existing: BackupArchive, writer: ArchiveWriter) -> Received:
        """These bytes are stored already; put them back if the stored copy is not what it was."""
        if existing.state is ArchiveState.STORED and self._size_in_store(existing.id) == existing.size_bytes:
            return Received(existing, ReceiveOutcome.DUPLICATE)
        whole = evolve(existing, state=ArchiveState.STORED)
        self.catalog.mark(existing.id, ArchiveState.DAMAGED)
        writer.seal(sidecar.encode(whole))
        writer.replace(existing.id)
        self.catalog.mark(existing.id, ArchiveState.STORED)
        return Received(whole, ReceiveOutcome.REPAIRED)

    def _stored(self, id: ArchiveId) -> BackupArchive | None:
        try:
            return self.catalog.find(id)
        except ArchiveNotFound:
            return None

    def _size_in_store(self, id: ArchiveId) -> int | None:
        try:
            return self.store.stat(id).size_bytes
        except ArchiveNotFound:
            return None

    def _kept_beside(self, id: ArchiveId, sha256: str) -> BackupArchive | None:
        """The archive as which bytes were kept beside the name of *id*: a retry must not keep them twice."""
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
        """What a name begins with under which something is kept beside *id*."""
        return with_time(id.name, self.clock.now())[: -len("YYYY-MM-DDTHH-MM-SSZ.tar.gz")]

    def _beside(self, archive: BackupArchive, existing: BackupArchive) -> BackupArchive:
        """*archive* under the name that has its receive time in it."""
        try:
            return evolve(archive, id=evolve(archive.id, name=with_time(archive.id.name, archive.received_at)))
        except InvalidName:  # no room for the time within the longest name
            raise NameConflict(archive.id, existing.digests.sha256) from None


@define(eq=False)
class Intake:
    """
    An archive on its way in: staged, hashed and inspected up to `size_bytes`, by one thread at a time.

    Leaving the context lets go of everything; what stays in staging is up to the writer.
    """

    _receive: ReceiveArchive
    writer: ArchiveWriter
    _digests: RunningDigests
    _sums: RunningSums
    _recording: RecordsWriter
    _inspection: RunningInspection
    _held: ExitStack
    _may_be_opaque: bool
    _instead_of: Collection[str] = ()
    _seen_bytes: int = 0
    _unreadable: RejectedContent | None = None  # why it cannot be looked into, if that may be all right

    @property
    def size_bytes(self) -> int:
        """The bytes staged."""
        return self.writer.size_bytes

    def take(self, block: Block) -> None:
        """
        The next bytes; they must not change afterwards.

        Raises:
            TooLarge, RejectedContent, ExpandsTooFar: by the bytes.
            InsufficientStorage: there is no room for them.
        """
        self._check_room(len(block))
        self._look_at(block)
        self.writer.write(block)

    def stage_unseen(self, block: Block) -> None:
        """Stage the next bytes without looking at them: `inspect_staged` does, unless the writer is truncated first."""
        self._check_size(self.size_bytes + len(block))
        self._check_room(len(block))
        self.writer.write(block)

    def inspect_staged(self) -> None:
        """Look at what is staged and was not looked at yet. Raises like `take`."""
        for block in self.writer.staged(self._seen_bytes):
            self._look_at(block)

    def pause(self) -> None:
        """Hold no thread until the next bytes come. Raises like `take`."""
        self._inspect(self._inspection.pause)
        self._digests.pause()

    def complete(self, offer: Offer, beforehand: Callable[[Digests], None] = _nothing) -> Received:
        """These were all the bytes: store them, as `ReceiveArchive` does. *beforehand* is called with their digests."""
        digests, contents = self._digests.finish(), self._inspect(self._inspection.finish)
        if self._unreadable is not None:
            if not self._receive.may_be_opaque(offer):
                raise self._unreadable
            contents = Contents(Kind.OPAQUE, members=0, unpacked_bytes=0)
        beforehand(digests)
        received = self._receive.finish(offer, self.writer, digests, contents, self._recording, self._instead_of)
        if received.outcome is not ReceiveOutcome.DUPLICATE and self.size_bytes > BLOCK_BYTES:
            self._receive.sums.put(digests.sha256, self._sums.finish())
        return received

    def _look_at(self, block: Block) -> None:
        self._check_size(self._seen_bytes + len(block))
        # the two that may work beside this thread first, so that they run while it writes
        self._inspect(lambda: self._inspection.feed(block))
        self._digests.update(block)
        self._sums.update(block)
        self._seen_bytes += len(block)

    def _check_room(self, length: int) -> None:
        # what is taken by all that come at once is seen by each of them soon enough
        if self.size_bytes // ROOM_BYTES != (self.size_bytes + length) // ROOM_BYTES or not self.size_bytes:
            self._receive.check_room(length)

    def _inspect(self, look: Callable[[], Looked]) -> Looked | None:
        """
        *look* at the bytes, unless they are known to be unreadable.

        A gzip that is damaged, or a tar that begins as one and does not end as one, is never taken for something else.
        """
        if self._unreadable is not None:
            return None
        try:
            return look()
        except (NotAGzip, NotATar) as refusal:
            begins_as_one = refusal.begins_as_one if isinstance(refusal, NotATar) else refusal.offset > 0
            if not self._may_be_opaque or begins_as_one:
                raise
            self._unreadable = refusal
            return None

    def _check_size(self, size_bytes: int) -> None:
        check_size(size_bytes, self._receive.max_bytes)

    def close(self) -> None:
        """Let go of everything."""
        self._held.close()

    def __enter__(self) -> Intake:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
