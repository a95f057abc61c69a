"""
Continuing resumable uploads over any number of requests until they become archives. `begin` begins them.

The rules are in `domain.uploads`; this module moves bytes, through the same receive as for every other archive. The
order that keeps an offset true: bytes are synced in staging, then the session is saved with the offset behind them, and
only then is the client answered. Between requests an intake is parked with its digests and inspection; a lost intake
(after a restart, or if there are too many) is rebuilt from staging. Bytes may rot in staging between requests: before
they become an archive they are read again, and compared with a CRC-32 that was saved with the offset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress

from attrs import evolve, frozen

from ... import uploads
from ...archives.archive import Offer
from ...errors.archives import NameConflict
from ...errors.content import ExpandsTooFar, RejectedContent, TooLarge
from ...errors.uploads import BeyondLength, ChecksumMismatch, StagedBytesMissing
from ...identity.digests import Digests
from ...identity.invalid import DigestMismatch
from ...ports.inspection import Hasher
from ...ports.store import ArchiveWriter, Block
from ...tarkeep_error import TarkeepError
from ...uploads import Checksum, Role, Upload
from ..receiving.admission import AdmissionChecks
from ..receiving.begin_intake import BeginIntake
from ..receiving.intake import Intake
from ..receiving.receive import ReceiveArchive
from .begin import BeginUpload
from .open_uploads import BYTES_LOST, UploadsUnderWay

SYNC_BYTES = 8_000_000
"""Received bytes are made durable at least this often, if blocks are alike in length."""

_FINAL_VERDICTS = (RejectedContent, ExpandsTooFar, DigestMismatch, NameConflict, TooLarge)


def _nothing() -> None:
    """For requests that are never asked to hurry."""


@frozen
class AppendToUpload:
    """Receive more bytes of an upload; the last of them turn it into an archive like any other."""

    under_way: UploadsUnderWay
    admission: AdmissionChecks
    begin_intake: BeginIntake
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

        If *blocks* raise, the bytes so far are kept, unless the request has a *checksum*: then all or nothing.
        *length_bytes* declares the length, *is_the_rest* that the upload ends with *blocks*. *notes* replace those of
        the offer. *when_wanted* as for `UploadLocks.hold`. Sending the last bytes again to a finished upload is a
        success.

        Raises:
            UploadNotFound, UploadGone, UploadLocked: the upload cannot be appended to now.
            As `uploads.start_append`: the request does not fit the upload.
            ChecksumMismatch: the bytes of this request were dropped.
            As `ReceiveArchive`: with the last bytes, or the first that show it. If sending the same bytes again cannot
                help, the upload is over; otherwise it keeps its offset.
        """
        with self.under_way.locks.hold(id, self.under_way.patience, when_wanted):
            upload = self.under_way.current(id)
            if upload.archive is not None and offset_bytes == upload.offset_bytes and not announced_bytes:
                return upload
            before = upload
            upload = uploads.start_append(
                before,
                offset_bytes,
                self.under_way.clock.now(),
                max_bytes=self.admission.max_bytes,
                length_bytes=length_bytes,
                announced_bytes=announced_bytes,
            )
            self._check_growth(before, upload, announced_bytes or 0)
            if notes and upload.offer is not None:
                upload = evolve(upload, offer=evolve(upload.offer, notes=notes))
            try:
                if upload.role is Role.PARTIAL:
                    return self._append_piece(upload, blocks, checksum)
                return self._append(upload, blocks, checksum, is_the_rest)
            except StagedBytesMissing:
                self.under_way.end(upload, BYTES_LOST)
                raise

    def _check_growth(self, before: Upload, upload: Upload, coming_bytes: int) -> None:
        """Check the quota for bytes that *upload* will hold beyond those it was begun with. Raises QuotaExceeded."""
        coming = upload
        if upload.length_bytes is None:
            coming = evolve(upload, offset_bytes=upload.offset_bytes + coming_bytes)
        profile = upload.held_for
        if profile is None or uploads.held_bytes(coming) <= uploads.held_bytes(before):
            return
        with self.begin_intake.settle.names.hold_profile(profile):
            # a declared length counts from now on
            self.under_way.sessions.save(upload, lambda: self.admission.upload(coming))

    def _append(self, upload: Upload, blocks: Iterable[Block], checksum: Checksum | None, is_the_rest: bool) -> Upload:
        before = upload
        with ExitStack() as held:
            intake = held.enter_context(self._intake(upload))
            try:
                looks = intake.has_seen_all or not self.under_way.may_move
                if looks:
                    intake.inspect_staged()
                take = intake.take if looks and checksum is None else intake.stage_unseen
                upload, cut = self._stage(upload, intake.writer, take, blocks, checksum)
                is_whole = is_the_rest or intake.size_bytes == upload.length_bytes
                if looks or (is_whole and cut is None):
                    intake.inspect_staged()
                if is_the_rest and cut is None and upload.length_bytes is None:
                    upload = evolve(upload, length_bytes=intake.size_bytes)
                if cut is None and intake.size_bytes == upload.length_bytes:
                    self._check_rested(before, intake)
                    received = intake.complete(upload.offer or _no_offer(upload), self._noting(upload))
                    now = self.under_way.clock.now()
                    upload = uploads.about_to_be_stored(upload, received.archive.digests.sha256, now)
                    upload = uploads.stored(upload, received.archive.id, now, received.brought_back)
                    self.under_way.sessions.save(upload)
                    held.close()
                    # publishing empties staging, but an earlier request may have stored these bytes; a stored archive
                    # must not be reported as failed, and leftovers are dropped by the next sweep
                    with suppress(TarkeepError):
                        self.under_way.store.discard(upload.id)
                    return upload
                intake.pause()
            except _FINAL_VERDICTS as verdict:
                self._check_rested(before, intake)  # rot in staging may be the cause, not the client
                held.close()
                self.under_way.end(upload, str(verdict))
                self.begin_intake.broke_off(verdict)
                raise
            if intake.size_bytes == upload.offset_bytes:
                held.pop_all()
                self.under_way.resting.keep(upload.id, intake)
        if cut is not None:
            raise cut
        return upload

    def _check_rested(self, before: Upload, intake: Intake) -> None:
        """Check the bytes that were in staging before this request. Raises StagedBytesMissing if they changed."""
        for _ in as_sent(before, intake.writer, self.hasher):
            pass

    def _noting(self, upload: Upload) -> Callable[[Digests], None]:
        def note(digests: Digests) -> None:
            self.under_way.sessions.save(uploads.about_to_be_stored(upload, digests.sha256, self.under_way.clock.now()))

        return note

    def _append_piece(self, upload: Upload, blocks: Iterable[Block], checksum: Checksum | None) -> Upload:
        with self.under_way.store.resume(upload.id, upload.offset_bytes) as writer:
            upload, cut = self._stage(upload, writer, writer.write, blocks, checksum)
        if cut is not None:
            raise cut
        return upload

    def _intake(self, upload: Upload) -> Intake:
        resting = self.under_way.resting.take(upload)
        if resting is not None:
            return resting
        return self.begin_intake(
            self.under_way.store.resume(upload.id, upload.offset_bytes),
            may_be_opaque=upload.offer is not None and self.admission.may_be_opaque(upload.offer),
            instead_of=(upload.id,),
        )

    def _stage(
        self,
        upload: Upload,
        writer: ArchiveWriter,
        take: Callable[[Block], None],
        blocks: Iterable[Block],
        checksum: Checksum | None,
    ) -> tuple[Upload, Exception | None]:
        """Write *blocks*. Returns the upload with its new offset, and the error with which the sender broke off."""
        running = self.hasher.checksum(checksum.algorithm) if checksum else None
        start = synced = writer.size_bytes
        before = crc32 = upload.crc32
        cut: Exception | None = None
        try:
            for block in _from_sender(blocks, *self._room(upload, writer.size_bytes)):
                take(block)
                crc32 = None if crc32 is None else self.hasher.crc32(block, crc32)
                if running is not None:
                    running.update(block)
                elif writer.size_bytes - synced + len(block) > SYNC_BYTES:
                    upload = self._sync(upload, writer, crc32)
                    synced = writer.size_bytes
                    # synced bytes stay: the client continues from there once there is room
                    self.admission.room()
                    if upload.length_bytes is None:
                        self.admission.upload(upload)
        except _SenderLeft as left:
            cut = left.error
        if checksum is not None and running is not None and (cut is not None or running.digest() != checksum.digest):
            writer.truncate(start)
            crc32 = before
            cut = cut or ChecksumMismatch(checksum.algorithm.value)
        return self._sync(upload, writer, crc32), cut

    def _room(self, upload: Upload, staged_bytes: int) -> tuple[int | None, TarkeepError]:
        """How many bytes may follow the staged ones (None: any number), and the error for more."""
        if upload.length_bytes is not None:
            return upload.length_bytes - staged_bytes, BeyondLength(upload.length_bytes)
        limit = self.admission.max_bytes
        return (None if limit is None else limit - staged_bytes), TooLarge(limit or 0)

    def _sync(self, upload: Upload, writer: ArchiveWriter, crc32: int | None) -> Upload:
        advanced = uploads.advanced(upload, writer.size_bytes, self.under_way.clock.now(), crc32)
        if advanced.offset_bytes != upload.offset_bytes:
            writer.sync()
        self.under_way.sessions.save(advanced)
        return advanced


@frozen
class JoinUploads:
    """Concatenate partial uploads into an archive."""

    under_way: UploadsUnderWay
    begin: BeginUpload
    receive: ReceiveArchive
    hasher: Hasher

    def __call__(
        self, offer: Offer, parts: Sequence[str], *, client: str = "", metadata: str = "", owner: str | None = None
    ) -> Upload:
        """
        The final, stored upload of *parts* in this order. Repeating the request gives the same one. All parts must
        belong to *owner*.

        Raises:
            PartsUnusable, UploadNotFound, UploadGone, UploadLocked: a part cannot be used.
            StagedBytesMissing: a part has lost bytes, and is over.
            As `ReceiveArchive`: for the joined bytes. The parts stay as they are.
        """
        under_way = self.under_way
        for part in parts:
            under_way.check_owner(part, owner)
        with ExitStack() as held:
            for part in sorted(set(parts)):
                held.enter_context(under_way.locks.hold(part, under_way.patience))
            before = self._joined_before(parts)
            if before is not None:
                return before
            pieces = [under_way.current(part) for part in parts]
            max_bytes = self.receive.admission.max_bytes
            final = uploads.concatenation(
                self.begin.ids.new(),
                offer,
                pieces,
                under_way.clock.now(),
                max_bytes=max_bytes,
                client=client,
                metadata=metadata,
                owner=owner,
            )
            received = self.receive(offer, self._bytes_of(pieces), instead_of=parts)
            now = under_way.clock.now()
            final = uploads.about_to_be_stored(final, received.archive.digests.sha256, now)
            final = uploads.stored(final, received.archive.id, now, received.brought_back)
            under_way.sessions.save(final)
            for piece in pieces:
                under_way.sessions.save(uploads.joined(piece, final, under_way.clock.now()))
                under_way.store.discard(piece.id)
            return final

    def _joined_before(self, parts: Sequence[str]) -> Upload | None:
        finals = {part.joined_in for part in map(self.under_way.known, parts)}
        final = finals.pop() if len(finals) == 1 else None
        if final is None:
            return None
        upload = self.under_way.sessions.get(final)
        return upload if upload.parts == tuple(parts) else None

    def _bytes_of(self, pieces: Sequence[Upload]) -> Iterator[bytes]:
        for piece in pieces:
            with self.under_way.store.resume(piece.id, piece.offset_bytes) as writer:
                try:
                    yield from as_sent(piece, writer, self.hasher)
                except StagedBytesMissing:
                    self.under_way.end(piece, BYTES_LOST)
                    raise


def as_sent(upload: Upload, writer: ArchiveWriter, hasher: Hasher) -> Iterator[bytes]:
    """
    The bytes of *upload* that were in staging, read by *writer*.

    Raises:
        StagedBytesMissing: raised after the last byte if they are not what was sent.
    """
    left, crc32 = upload.offset_bytes, 0
    for block in writer.staged() if left else ():
        some = block[:left]
        yield some
        crc32 = hasher.crc32(some, crc32)
        left -= len(some)
        if not left:
            break
    if left or upload.crc32 not in (None, crc32):
        raise StagedBytesMissing(upload.id)


class _SenderLeft(Exception):
    """The error comes from the sender, not from the store."""

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
