"""
Resumable uploads: begun, continued over any number of requests, ended as an archive.

What is judged is in `domain.uploads`; here bytes are moved, through the same receive as every other archive. The order
that keeps an offset from lying: bytes are synced in staging, then the session is saved with the offset behind them,
and only then is anybody told. Between requests an arrival rests with its digests and inspection as they stand; one that
is lost (a restart, too many of them) is built anew from staging.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta

from attrs import define, evolve, field, frozen

from .. import uploads
from ..archives import ArchiveState, Digests, Offer
from ..errors import (
    ArchiveNotFound,
    BeyondLength,
    ChecksumMismatch,
    DigestMismatch,
    ExpandsTooFar,
    NameConflict,
    RejectedContent,
    StagedBytesMissing,
    TarkeepError,
    TooLarge,
    UploadGone,
    UploadLocked,
    UploadNotFound,
)
from ..ports import ArchiveStore, ArchiveWriter, Block, Catalog, Clock, Hasher, IdSource, UploadLocks, UploadSessions
from ..uploads import Checksum, Role, Upload
from .receive import Arrival, ReceiveArchive, SameName

SYNC_BYTES = 8_000_000
"""No more bytes than these are received without being made durable, as long as blocks are alike in length."""

_FINAL_VERDICTS = (RejectedContent, ExpandsTooFar, DigestMismatch, NameConflict, TooLarge)


def _nothing() -> None:
    """For requests that nobody can hurry."""


@define(eq=False)
class RestingArrivals:
    """
    Arrivals between two requests, the *limit* that came last.

    For several threads at once: each step is one operation of a dictionary, and an arrival belongs to who popped it.
    """

    limit: int = 32
    _arrivals: dict[str, Arrival] = field(factory=dict, init=False)

    def take(self, upload: Upload) -> Arrival | None:
        """The arrival of *upload*, if one rests here that stands where the upload does."""
        arrival = self._arrivals.pop(upload.id, None)
        if arrival is not None and arrival.size_bytes != upload.offset_bytes:
            arrival.close()
            return None
        return arrival

    def keep(self, id: str, arrival: Arrival) -> None:
        """Let *arrival* rest until it is taken; the one that rests longest may have to go."""
        self._arrivals[id] = arrival
        for oldest in list(self._arrivals)[: -self.limit]:
            self.drop(oldest)

    def drop(self, id: str) -> None:
        """Let go of the arrival of *id*, if it rests here."""
        arrival = self._arrivals.pop(id, None)
        if arrival is not None:
            arrival.close()

    def close(self) -> None:
        """Let go of all of them."""
        for id in list(self._arrivals):
            self.drop(id)


@frozen
class ShowUpload:
    """
    Where an upload stands.

    A request that is sending for it and has gone silent is made to let go first, so that the answer is as far as
    anybody can go on from; one at work is not disturbed. *idle* is how long an upload may lie untouched.
    """

    store: ArchiveStore
    catalog: Catalog
    sessions: UploadSessions
    locks: UploadLocks
    resting: RestingArrivals
    clock: Clock
    idle: timedelta = timedelta(hours=24)
    patience: timedelta = timedelta(seconds=5)

    def __call__(self, id: str) -> Upload:
        """
        Raises:
            UploadNotFound, UploadGone: there is none, or it is over.
        """
        try:
            with self.locks.hold(id, self.patience):
                return self.current(id)
        except UploadLocked:
            return self._unended(id)

    def current(self, id: str) -> Upload:
        """The upload *id*; for whoever holds it. Raises as calling does."""
        upload = self._unended(id)
        return self._noted(upload) if uploads.may_be_stored(upload) else upload

    def _noted(self, upload: Upload) -> Upload:
        """*upload*, stored if its archive is: whoever stored it may have died, or the disk failed, before noting it."""
        if upload.offer is None:
            return upload
        try:
            archive = self.catalog.find(upload.offer.id)
        except ArchiveNotFound:
            return upload
        if archive.digests.sha256 != upload.sha256 or archive.state is not ArchiveState.STORED:
            return upload  # a damaged copy is not what was sent: it waits for being repaired
        upload = uploads.stored(upload, archive.id, self.clock.now())
        self.sessions.save(upload)
        self.store.discard(upload.id)
        return upload

    def _unended(self, id: str) -> Upload:
        upload = self.sessions.get(id)
        uploads.check_not_ended(upload)
        if upload.expires_at(self.idle) < self.clock.now():
            raise UploadGone(id, "it expired")
        return upload

    def check_owner(self, id: str, owner: str | None) -> None:
        """
        Judge whether the upload *id* was begun with the token *owner*; None is none.

        Raises:
            UploadNotFound: it was not, or there is none.
        """
        if self.sessions.get(id).owner != owner:
            raise UploadNotFound(id)

    def end(self, upload: Upload, why: str) -> None:
        """Let *upload* be over, and drop its bytes; for whoever holds it."""
        self.sessions.save(uploads.over(upload, why, self.clock.now()))
        self.resting.drop(upload.id)
        self.store.discard(upload.id)


@frozen
class EndUpload:
    """Drop an unfinished upload at its client's wish; a stored archive stays."""

    show: ShowUpload

    def __call__(self, id: str) -> None:
        """
        Raises:
            UploadNotFound, UploadGone: there is none, or it is over.
            UploadLocked: a request is sending for it.
        """
        with self.show.locks.hold(id, self.show.patience):
            self.show.end(self.show.current(id), "it was deleted")


@frozen
class ExpireUploads:
    """Drop what lay untouched for too long, and forget what has been over for as long."""

    show: ShowUpload

    def __call__(self) -> int:
        """How many unfinished uploads were dropped."""
        show = self.show
        now = show.clock.now()
        dropped = 0
        for upload in show.sessions.all():
            if upload.expires_at(show.idle) >= now:
                continue
            try:
                with show.locks.hold(upload.id, timedelta(0)):
                    upload = show.sessions.get(upload.id)
                    if upload.expires_at(show.idle) >= now:
                        continue
                    if upload.is_open:
                        show.end(upload, "it expired")
                        dropped += 1
                    else:
                        show.sessions.remove(upload.id)
            except (UploadLocked, TarkeepError):
                continue
        return dropped


@frozen
class BeginUpload:
    """Begin a resumable upload, of a whole archive or of a piece of one."""

    show: ShowUpload
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
    ) -> Upload:
        """
        Raises:
            TooLarge, EmptyArchive: by the length.
            TooManyUploads: unfinished ones, of this *client* or in total.
            ParentMismatch: as `ReceiveArchive.check`.
            NameConflict: other bytes are stored under that name, as the declared SHA-256 tells beforehand.
            InsufficientStorage, QuotaExceeded: there is no room for it, or none for its profile.
        """
        self.check_number(client, owner)
        now = self.show.clock.now()
        max_bytes = self.receive.max_bytes
        upload = uploads.begin(
            self.ids.new(),
            offer,
            length_bytes,
            now,
            max_bytes=max_bytes,
            client=client,
            metadata=metadata,
            owner=owner,
        )
        if offer is not None:
            self.receive.check(offer, length_bytes or 0)
            self._refuse_other_bytes(offer)
        self.receive.check_room(length_bytes or 0)
        self.show.sessions.save(upload)
        return upload

    def check_number(self, client: str, owner: str | None = None) -> None:
        """Judge whether *client*, or the token *owner*, may begin one more upload. Raises TooManyUploads."""
        self.expire()
        unfinished = [upload for upload in self.show.sessions.all() if upload.is_open]
        uploads.admit(
            client,
            unfinished,
            owner=owner,
            max_per_client=self.max_open_per_client,
            max_per_token=self.max_open_per_token,
            max_total=self.max_open,
        )

    def _refuse_other_bytes(self, offer: Offer) -> None:
        declared = offer.digests.sha256
        if declared is None or self.receive.same_name is not SameName.REJECT:
            return
        try:
            existing = self.show.catalog.find(offer.id)
        except ArchiveNotFound:
            return
        if existing.digests.sha256 != declared:
            raise NameConflict(offer.id, existing.digests.sha256)


@frozen
class AppendToUpload:
    """Receive more bytes of an upload; with the last of them it becomes an archive, like any other."""

    show: ShowUpload
    receive: ReceiveArchive
    hasher: Hasher

    def __call__(
        self,
        id: str,
        offset_bytes: int,
        blocks: Iterable[Block],
        *,
        length_bytes: int | None = None,
        announced_bytes: int | None = None,
        checksum: Checksum | None = None,
        is_the_rest: bool = False,
        notes: tuple[str, ...] = (),
        when_wanted: Callable[[], None] = _nothing,
    ) -> Upload:
        """
        Append *blocks*, which begin at *offset_bytes*.

        When *blocks* raise, what came before is kept, unless it was sent with a *checksum*: then all or nothing.
        *length_bytes* declares the length, *is_the_rest* that it is where *blocks* end. *notes* take the place of those
        of the offer. *when_wanted* as for `UploadLocks.hold`. The last bytes sent again to a finished upload are a
        success.

        Raises:
            UploadNotFound, UploadGone, UploadLocked: nobody can append now.
            As `uploads.start_append`: what is sent does not fit.
            ChecksumMismatch: these bytes were dropped.
            As `ReceiveArchive`: with the last bytes, or the first that show it. The upload is then over where sending
                the same bytes again cannot help, else it stands where it stood.
        """
        with self.show.locks.hold(id, self.show.patience, when_wanted):
            upload = self.show.current(id)
            if upload.archive is not None and offset_bytes == upload.offset_bytes and not announced_bytes:
                return upload
            upload = uploads.start_append(
                upload,
                offset_bytes,
                self.show.clock.now(),
                max_bytes=self.receive.max_bytes,
                length_bytes=length_bytes,
                announced_bytes=announced_bytes,
            )
            if notes and upload.offer is not None:
                upload = evolve(upload, offer=evolve(upload.offer, notes=notes))
            try:
                if upload.role is Role.PARTIAL:
                    return self._append_piece(upload, blocks, checksum)
                return self._append(upload, blocks, checksum, is_the_rest)
            except StagedBytesMissing:
                self.show.end(upload, "its bytes are lost")
                raise

    def _append(self, upload: Upload, blocks: Iterable[Block], checksum: Checksum | None, is_the_rest: bool) -> Upload:
        with ExitStack() as held:
            arrival = held.enter_context(self._arrival(upload))
            try:
                arrival.catch_up()
                take = arrival.put_aside if checksum else arrival.take
                upload, cut = self._stage(upload, arrival.writer, take, blocks, checksum)
                arrival.catch_up()
                if is_the_rest and cut is None and upload.length_bytes is None:
                    upload = evolve(upload, length_bytes=arrival.size_bytes)
                if cut is None and arrival.size_bytes == upload.length_bytes:
                    received = arrival.complete(upload.offer or _no_offer(upload), self._noting(upload))
                    now = self.show.clock.now()
                    upload = uploads.about_to_be_stored(upload, received.archive.digests.sha256, now)
                    upload = uploads.stored(upload, received.archive.id, now)
                    self.show.sessions.save(upload)
                    held.close()
                    # publishing leaves nothing to drop, but these bytes may have been stored before; what is stored
                    # must not be reported as failed, and what stays here is the next sweep's business
                    with suppress(TarkeepError):
                        self.show.store.discard(upload.id)
                    return upload
                arrival.pause()
            except _FINAL_VERDICTS as verdict:
                held.close()
                self.show.end(upload, str(verdict))
                raise
            if arrival.size_bytes == upload.offset_bytes:
                held.pop_all()
                self.show.resting.keep(upload.id, arrival)
        if cut is not None:
            raise cut
        return upload

    def _noting(self, upload: Upload) -> Callable[[Digests], None]:
        def note(digests: Digests) -> None:
            self.show.sessions.save(uploads.about_to_be_stored(upload, digests.sha256, self.show.clock.now()))

        return note

    def _append_piece(self, upload: Upload, blocks: Iterable[Block], checksum: Checksum | None) -> Upload:
        with self.show.store.resume(upload.id, upload.offset_bytes) as writer:
            upload, cut = self._stage(upload, writer, writer.write, blocks, checksum)
        if cut is not None:
            raise cut
        return upload

    def _arrival(self, upload: Upload) -> Arrival:
        resting = self.show.resting.take(upload)
        if resting is not None:
            return resting
        return self.receive.begin(
            self.show.store.resume(upload.id, upload.offset_bytes),
            may_be_opaque=upload.offer is not None and self.receive.may_be_opaque(upload.offer),
        )

    def _stage(
        self,
        upload: Upload,
        writer: ArchiveWriter,
        take: Callable[[Block], None],
        blocks: Iterable[Block],
        checksum: Checksum | None,
    ) -> tuple[Upload, Exception | None]:
        """Write *blocks*; the upload with its new offset, and what the sender broke off with."""
        running = self.hasher.checksum(checksum.algorithm) if checksum else None
        start = synced = writer.size_bytes
        cut: Exception | None = None
        try:
            for block in _from_sender(blocks, *self._room(upload, writer.size_bytes)):
                take(block)
                if running is not None:
                    running.update(block)
                elif writer.size_bytes - synced + len(block) > SYNC_BYTES:
                    upload = self._sync(upload, writer)
                    synced = writer.size_bytes
                    self.receive.check_room()  # what is synced stays: it goes on from there once there is room
        except _SenderLeft as left:
            cut = left.error
        if checksum is not None and running is not None and (cut is not None or running.digest() != checksum.digest):
            writer.truncate(start)
            cut = cut or ChecksumMismatch(checksum.algorithm.value)
        return self._sync(upload, writer), cut

    def _room(self, upload: Upload, staged_bytes: int) -> tuple[int | None, TarkeepError]:
        """How many bytes may follow those that are staged (None: any number), and what is wrong with more."""
        if upload.length_bytes is not None:
            return upload.length_bytes - staged_bytes, BeyondLength(upload.length_bytes)
        limit = self.receive.max_bytes
        return (None if limit is None else limit - staged_bytes), TooLarge(limit or 0)

    def _sync(self, upload: Upload, writer: ArchiveWriter) -> Upload:
        advanced = uploads.advanced(upload, writer.size_bytes, self.show.clock.now())
        if advanced.offset_bytes != upload.offset_bytes:
            writer.sync()
        self.show.sessions.save(advanced)
        return advanced


@frozen
class JoinUploads:
    """Concatenate partial uploads to an archive."""

    show: ShowUpload
    begin: BeginUpload
    receive: ReceiveArchive

    def __call__(
        self, offer: Offer, parts: Sequence[str], *, client: str = "", metadata: str = "", owner: str | None = None
    ) -> Upload:
        """
        The final upload, of *parts* in this order, stored. Asked again it gives the same one. All are of one *owner*.

        Raises:
            PartsUnusable, UploadNotFound, UploadGone, UploadLocked: by the parts.
            As `ReceiveArchive`: by their bytes together. The parts stay as they are.
        """
        show = self.show
        for part in parts:
            show.check_owner(part, owner)
        with ExitStack() as held:
            for part in sorted(set(parts)):
                held.enter_context(show.locks.hold(part, show.patience))
            before = self._joined_before(parts)
            if before is not None:
                return before
            pieces = [show.current(part) for part in parts]
            max_bytes = self.receive.max_bytes
            final = uploads.concatenation(
                self.begin.ids.new(),
                offer,
                pieces,
                show.clock.now(),
                max_bytes=max_bytes,
                client=client,
                metadata=metadata,
                owner=owner,
            )
            received = self.receive(offer, self._bytes_of(pieces))
            final = uploads.about_to_be_stored(final, received.archive.digests.sha256, show.clock.now())
            final = uploads.stored(final, received.archive.id, show.clock.now())
            show.sessions.save(final)
            for piece in pieces:
                show.sessions.save(uploads.joined(piece, final, show.clock.now()))
                show.store.discard(piece.id)
            return final

    def _joined_before(self, parts: Sequence[str]) -> Upload | None:
        finals = {show.joined_in for show in map(self.show.sessions.get, parts)}
        final = finals.pop() if len(finals) == 1 else None
        if final is None:
            return None
        upload = self.show.sessions.get(final)
        return upload if upload.parts == tuple(parts) else None

    def _bytes_of(self, pieces: Sequence[Upload]) -> Iterator[bytes]:
        for piece in pieces:
            with self.show.store.resume(piece.id, piece.offset_bytes) as writer:
                yield from writer.staged()


class _SenderLeft(Exception):
    """What broke off is the sender's, not the store's."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _from_sender(blocks: Iterable[Block], room_bytes: int | None, too_long: TarkeepError) -> Iterator[Block]:
    try:
        for block in blocks:
            if room_bytes is not None:
                room_bytes -= len(block)
                if room_bytes < 0:
                    break
            yield block
        else:
            return
    except Exception as error:
        raise _SenderLeft(error) from error
    raise _SenderLeft(too_long)


def _no_offer(upload: Upload) -> Offer:
    raise ValueError(f"upload {upload.id} is a partial one")
