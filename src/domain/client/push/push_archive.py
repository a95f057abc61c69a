"""
Pushing archives: only those that the server lacks; each byte is read once, and none that the server has is sent again.

The digest is computed while the bytes pass, and compared with the one in the server's answer. An archive of
*resumable_from_bytes* or more is sent as a resumable upload, whose address is noted, so that the next run continues
where this one was cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from enum import Enum

from attrs import define, evolve, field, frozen

from ...archives.archive import BackupArchive, Lineage
from ...archives.inventory import Bucket, InventoryEntry, SyncReport
from ...errors.client import FolderUnusable, LocalFileChanged
from ...errors.uploads import UploadGone, UploadNotFound
from ...identity.archive_id import ArchiveId, BackupType
from ...identity.digests import DeclaredDigests
from ...identity.invalid import DigestMismatch
from ...ports.inspection import Hasher, RunningChecksum
from ...tarkeep_error import TarkeepError
from ...uploads import ChecksumAlgorithm
from ..ports.local_archives import LocalArchive, LocalArchives, LocalFile, LocalFiles, version_of
from ..ports.memory import DigestCache, UploadNote, UploadNotes
from ..ports.remote import NO_LINEAGE, RemoteStore, UploadProgress
from ..progress import Progress
from ..retrying import Notice, Retrying


class PushOutcome(Enum):
    """The result for one archive."""

    SENT = "sent"
    REPAIRED = "repaired"  # sent, and the server's damaged copy is whole again
    ALREADY_THERE = "already-there"
    PRUNED = "pruned"  # the server had it, and removed it by the profile's policy
    CONFLICT = "conflict"
    FAILED = "failed"


def newest_of_each_type(archives: Iterable[LocalArchive]) -> list[LocalArchive]:
    """The most recently modified archive of each type; of equally recent ones the last by name."""
    newest: dict[BackupType, LocalArchive] = {}
    for archive in archives:
        best = newest.get(archive.type)
        if best is None or (archive.modified_ns, archive.name) > (best.modified_ns, best.name):
            newest[archive.type] = archive
    return [newest[type] for type in BackupType if type in newest]


@frozen
class PushPlan:
    """
    The *known* results for archives that need not be sent, and those to send, in order.

    *damaged* are archives to send that the server has a damaged copy of, each with how that shows, None if unknown.
    """

    known: Mapping[LocalArchive, PushOutcome]
    to_send: tuple[LocalArchive, ...]
    damaged: Mapping[LocalArchive, str | None]


@frozen
class PlanPush:
    """Ask the server once which of some archives it has."""

    remote: RemoteStore
    files: LocalArchives
    cache: DigestCache
    hasher: Hasher

    def __call__(self, profile: str, archives: Sequence[LocalArchive]) -> PushPlan:
        """The known results for *archives*, and which ones to send."""
        digests = {archive: self.cache.get(archive) for archive in archives}
        compared = self._compare(profile, digests)
        there = compared.places()
        doubtful = [archive for archive in archives if _is_doubtful(there.get(_place(archive)), digests[archive])]
        if doubtful:
            digests |= {archive: self._digest(archive) for archive in doubtful}
            compared = self._compare(profile, digests)
            there = compared.places()
        fates = {archive: _FATES.get(there.get(_place(archive))) for archive in archives}
        known = {archive: fate for archive, fate in fates.items() if fate is not None}
        to_send = tuple(archive for archive in archives if archive not in known)
        damaged = {
            archive: compared.types[archive.type].damage.get(archive.name)
            for archive in to_send
            if there.get(_place(archive)) is Bucket.DAMAGED
        }
        return PushPlan(known, to_send, damaged)

    def _digest(self, archive: LocalArchive) -> str | None:
        """The digest, or None if the file cannot be read: sending it will report why, and must not delay the others."""
        try:
            return digest_of(archive, self.files, self.cache, self.hasher)
        except (LocalFileChanged, FolderUnusable):
            return None

    def _compare(self, profile: str, digests: Mapping[LocalArchive, str | None]) -> SyncReport:
        entries = [
            InventoryEntry(archive.type, archive.name, archive.size_bytes, sha256=sha256)
            for archive, sha256 in digests.items()
        ]
        return self.remote.verify(profile, entries)


_FATES: dict[Bucket | None, PushOutcome] = {
    Bucket.SYNCED: PushOutcome.ALREADY_THERE,
    Bucket.DIFFERING: PushOutcome.CONFLICT,
    Bucket.PRUNED: PushOutcome.PRUNED,
}


def _is_doubtful(bucket: Bucket | None, sha256: str | None) -> bool:
    """Whether the digest of an archive could change its bucket."""
    return bucket is Bucket.UNVERIFIED or (bucket is Bucket.PRUNED and sha256 is None)


def _place(archive: LocalArchive) -> tuple[BackupType, str]:
    return archive.type, archive.name


def digest_of(
    archive: LocalArchive,
    files: LocalFiles,
    cache: DigestCache,
    hasher: Hasher,
    tell: Progress = lambda _position, _moved: None,
) -> str:
    """
    The SHA-256 of *archive* in lower-case hex, from the cache or by reading it.

    *tell* is called with the progress of reading, as if every byte were transferred.

    Raises:
        LocalFileChanged: the file is no longer the version that was listed.
        FolderUnusable: the file cannot be read.
    """
    known = cache.get(archive)
    if known is not None:
        return known
    with files.open(archive) as file:
        passing = _PassingDigest(hasher, file, tell)
        for _ in passing.blocks(0):
            pass
    cache.put(archive, passing.sha256)
    return passing.sha256


@frozen
class PushArchive:
    """Push one archive until it is stored."""

    remote: RemoteStore
    files: LocalArchives
    cache: DigestCache
    notes: UploadNotes
    hasher: Hasher
    retrying: Retrying
    resumable_from_bytes: int = 8_000_000
    proven_every_bytes: int = 8 << 20

    def __call__(
        self,
        profile: str,
        archive: LocalArchive,
        progress: Progress,
        notice: Notice,
        lineage: Lineage = NO_LINEAGE,
        taken_at: datetime | None = None,
        notes: tuple[str, ...] = (),
    ) -> BackupArchive:
        """
        Returns the stored archive. *notes* are kept with it, for people.

        Raises:
            ServerUnreachable, Refused, Unauthorized: from the server, after useful retries.
            ParentMoved: the server would continue from another archive than the one in *lineage*.
            LocalFileChanged: the file is no longer the version that was listed.
            DigestMismatch: the server stored other bytes than those read.
        """
        id = ArchiveId(profile, archive.type, archive.name)
        known = self.cache.get(archive)
        with self.files.open(archive) as file:
            passing = _PassingDigest(self.hasher, file, progress)
            sending = _Sending(self, id, archive, DeclaredDigests(sha256=known), lineage, taken_at, passing, notes)
            send = sending.whole if archive.size_bytes < self.resumable_from_bytes else sending.resumable
            try:
                stored = self.retrying(
                    send,
                    has_moved=sending.has_moved,
                    on_retry=notice,
                )
            except LocalFileChanged:
                sending.give_up()
                raise
            actual = known or passing.rest()
        if stored.digests.sha256 != actual:
            raise DigestMismatch("sha256", actual, stored.digests.sha256)
        self.cache.put(archive, actual)
        return stored


@define
class _PassingDigest:
    """A file that is read from any offset; its digest is computed once over all bytes, in order."""

    _hasher: Hasher
    _file: LocalFile
    _tell: Progress
    _hashed_bytes: int = 0
    _checksum: RunningChecksum = field(init=False)

    @_checksum.default
    def _begun(self) -> RunningChecksum:
        return self._hasher.checksum(ChecksumAlgorithm.SHA256)

    def blocks(self, start: int) -> Iterator[bytes]:
        """The bytes from *start* on."""
        if start > self._hashed_bytes:
            self._hash_up_to(start)
        position = start
        for block in self._file.read(start):
            self._hash(block, position)
            yield block
            position += len(block)
            self._tell(position, len(block))

    def rest(self) -> str:
        """The digest of the whole file, including bytes that were not sent this time."""
        for block in self._file.read(self._hashed_bytes):
            self._hash(block, self._hashed_bytes)
        return self.sha256

    @property
    def hashed_bytes(self) -> int:
        return self._hashed_bytes

    @property
    def sha256(self) -> str:
        return self._checksum.digest().hex()

    def of_first(self, count_bytes: int) -> str | None:
        """The digest of the first *count_bytes* bytes, or None if more have been hashed already."""
        if self._hashed_bytes < count_bytes:
            self._hash_up_to(count_bytes)
        return self.sha256 if self._hashed_bytes == count_bytes else None

    def _hash_up_to(self, stop: int) -> None:
        for block in self._file.read(self._hashed_bytes):
            self._hash(block[: stop - self._hashed_bytes], self._hashed_bytes)
            if self._hashed_bytes >= stop:
                return

    def _hash(self, block: bytes, position: int) -> None:
        new = block[max(0, self._hashed_bytes - position) :]
        self._checksum.update(new)
        self._hashed_bytes += len(new)


@define
class _Sending:
    """One archive that is being pushed, over any number of requests."""

    _push: PushArchive
    _id: ArchiveId
    _archive: LocalArchive
    _digests: DeclaredDigests
    _lineage: Lineage
    _taken_at: datetime | None
    _passing: _PassingDigest
    _notes: tuple[str, ...] = ()
    _offset_bytes: int = 0
    _seen_bytes: int = 0
    _note: UploadNote | None = None
    _others: list[UploadNote] | None = None

    def has_moved(self) -> bool:
        """Whether the server has more bytes than at the last call."""
        moved, self._seen_bytes = self._offset_bytes > self._seen_bytes, self._offset_bytes
        return moved

    def whole(self) -> BackupArchive:
        blocks = self._passing.blocks(0)
        return self._push.remote.put(
            self._id, blocks, self._archive.size_bytes, self._digests, self._lineage, self._taken_at, self._notes
        )

    def resumable(self) -> BackupArchive:
        push = self._push
        progress = self._gone_on_with() or UploadProgress(0)
        is_new = self._note is None
        note = self._note or self._begun()
        self._offset_bytes = progress.offset_bytes
        if progress.stored is None:
            try:
                progress = push.remote.append(
                    note.address,
                    progress.offset_bytes,
                    self._noted(progress.offset_bytes),
                    self._archive.size_bytes - progress.offset_bytes,
                    notes=self._notes,
                )
            except (UploadGone, UploadNotFound):
                self._forget()
                if is_new:
                    raise
                self._offset_bytes = 0
                return self.resumable()
        if progress.stored is None:
            raise UploadGone(note.address, "the server took every byte, but names no archive")
        self._forget()
        return progress.stored

    def give_up(self) -> None:
        """End the upload: the file has changed, so it can never be continued."""
        if self._note is not None:
            self._drop(self._note)
            self._note = None

    def _gone_on_with(self) -> UploadProgress | None:
        """The progress of the upload to continue, which becomes `_note`; None if no upload can be continued."""
        if self._note is not None:
            try:
                return self._push.remote.upload_progress(self._note.address)
            except (UploadGone, UploadNotFound):
                self._forget()
                self._offset_bytes = 0
                return None
        if self._others is None:
            remote, notes = self._push.remote, self._push.notes
            self._others = list(notes.of(remote.shown_url, self._id, self._archive.size_bytes))
        while self._others:
            progress = self._fitting(self._others[0])
            note = self._others.pop(0)
            if progress is not None:
                self._note = note
                return progress
        return None

    def _fitting(self, note: UploadNote) -> UploadProgress | None:
        """The progress of the upload of *note*; None if it is over or has other bytes, and then it is forgotten."""
        try:
            progress = self._push.remote.upload_progress(note.address)
        except (UploadGone, UploadNotFound):
            self._push.notes.drop(note.address)
            return None
        if progress.stored is not None or note.may_go_on(
            self._archive, self._digests.sha256, self._passing.of_first, progress.offset_bytes
        ):
            return progress
        self._drop(note)
        return None

    def _begun(self) -> UploadNote:
        remote = self._push.remote
        address = remote.create_upload(self._id, self._archive.size_bytes, self._digests, self._lineage, self._taken_at)
        self._note = UploadNote(
            remote.shown_url,
            self._id,
            self._archive.size_bytes,
            address,
            version_of(self._archive),
            self._digests.sha256,
        )
        self._push.notes.put(self._note)
        return self._note

    def _noted(self, start: int) -> Iterator[bytes]:
        """The bytes from *start* on; now and then the digest of those to be sent is noted."""
        for block in self._passing.blocks(start):
            hashed = self._passing.hashed_bytes
            if self._note is not None and hashed - self._note.proven_bytes >= self._push.proven_every_bytes:
                self._note = evolve(self._note, proven_bytes=hashed, proven_sha256=self._passing.sha256)
                self._push.notes.put(self._note)
            yield block

    def _forget(self) -> None:
        if self._note is not None:
            self._push.notes.drop(self._note.address)
            self._note = None

    def _drop(self, note: UploadNote) -> None:
        with suppress(TarkeepError):  # it will expire
            self._push.remote.drop_upload(note.address)
        self._push.notes.drop(note.address)
