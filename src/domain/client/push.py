"""
Sending archives: only what the server lacks, each byte read once, and no byte again that the server has on disk.

The digest is computed while the bytes pass, and compared with the one in the server's answer. An archive above
*resumable_from_bytes* goes as a resumable upload, whose address is noted, so that the next run goes on where this one
was cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum

from attrs import define, field, frozen

from ..archives import ArchiveId, BackupArchive, BackupType, DeclaredDigests, Lineage
from ..errors import DigestMismatch, UploadGone, UploadNotFound
from ..ports import Hasher, RunningChecksum
from ..sync import InventoryEntry, SyncReport
from ..uploads import ChecksumAlgorithm
from .ports import NO_LINEAGE, DigestCache, LocalArchive, LocalArchives, LocalFile, Remote, UploadNotes, UploadProgress
from .retrying import Notice, Retrying


class Fate(Enum):
    """What became of one archive."""

    SENT = "sent"
    REPAIRED = "repaired"  # sent, and the copy there, which was damaged, is whole again
    ALREADY_THERE = "already-there"
    CONFLICT = "conflict"
    FAILED = "failed"


Progress = Callable[[int, int], None]
"""Told of every piece: where in the archive the work is now, and how many bytes were transferred to come there."""


def newest_of_each_type(archives: Iterable[LocalArchive]) -> list[LocalArchive]:
    """The archive of each type that was modified last; of those equally new the last by name."""
    newest: dict[BackupType, LocalArchive] = {}
    for archive in archives:
        best = newest.get(archive.type)
        if best is None or (archive.modified_ns, archive.name) > (best.modified_ns, best.name):
            newest[archive.type] = archive
    return [newest[type] for type in BackupType if type in newest]


@frozen
class PushPlan:
    """
    What is *known* of archives without sending them, and those to send, in their order.

    *damaged* are those to send of which the server has a damaged copy.
    """

    known: Mapping[LocalArchive, Fate]
    to_send: tuple[LocalArchive, ...]
    damaged: frozenset[LocalArchive]


@frozen
class PlanPush:
    """Ask the server once what it has of some archives."""

    remote: Remote
    files: LocalArchives
    cache: DigestCache
    hasher: Hasher

    def __call__(self, profile: str, archives: Sequence[LocalArchive]) -> PushPlan:
        """What is known of *archives* without sending them, and which to send."""
        digests = {archive: self.cache.get(archive) for archive in archives}
        report = self._compare(profile, digests)
        doubtful = [archive for archive in archives if archive.name in report.types[archive.type].unverified]
        if doubtful:
            digests |= {archive: digest_of(archive, self.files, self.cache, self.hasher) for archive in doubtful}
            report = self._compare(profile, digests)
        known = {archive: fate for archive in archives if (fate := self._fate(archive, report)) is not None}
        to_send = tuple(archive for archive in archives if archive not in known)
        damaged = frozenset(archive for archive in to_send if archive.name in report.types[archive.type].damaged)
        return PushPlan(known, to_send, damaged)

    def _compare(self, profile: str, digests: Mapping[LocalArchive, str | None]) -> SyncReport:
        entries = [
            InventoryEntry(archive.type, archive.name, archive.size_bytes, sha256=sha256)
            for archive, sha256 in digests.items()
        ]
        return self.remote.verify(profile, entries)

    def _fate(self, archive: LocalArchive, report: SyncReport) -> Fate | None:
        of_type = report.types[archive.type]
        if archive.name in of_type.synced:
            return Fate.ALREADY_THERE
        return Fate.CONFLICT if archive.name in of_type.differing else None


def digest_of(
    archive: LocalArchive,
    files: LocalArchives,
    cache: DigestCache,
    hasher: Hasher,
    tell: Progress = lambda _position, _moved: None,
) -> str:
    """
    The SHA-256 of *archive* in lower-case hex, from the cache or by reading it.

    *tell* is told how far it has been read, as if every byte were transferred.

    Raises:
        LocalFileChanged: it is not the version that was listed.
        FolderUnusable: it cannot be read.
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
    """Send one archive until it is stored."""

    remote: Remote
    files: LocalArchives
    cache: DigestCache
    notes: UploadNotes
    hasher: Hasher
    retrying: Retrying
    resumable_from_bytes: int = 8_000_000

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
        The archive as it is stored, with *notes* for people.

        Raises:
            NoAnswer, Refused, Unauthorized: the server, after trying again where that may help.
            ParentMoved: the server would continue from another archive than the one in *lineage*.
            LocalFileChanged: it is not the version that was listed.
            DigestMismatch: the server stored other bytes than were read.
        """
        id = ArchiveId(profile, archive.type, archive.name)
        known = self.cache.get(archive)
        with self.files.open(archive) as file:
            passing = _PassingDigest(self.hasher, file, progress)
            sending = _Sending(self, id, archive, DeclaredDigests(sha256=known), lineage, taken_at, passing, notes)
            send = sending.whole if archive.size_bytes < self.resumable_from_bytes else sending.resumable
            stored = self.retrying(
                send,
                has_moved=sending.has_moved,
                on_retry=notice,
            )
            actual = known or passing.rest()
        if stored.digests.sha256 != actual:
            raise DigestMismatch("sha256", actual, stored.digests.sha256)
        self.cache.put(archive, actual)
        return stored


def note_key(profile: str, archive: LocalArchive) -> str:
    """Under which the upload of this version of *archive* is noted."""
    version = f"{archive.path} {archive.size_bytes} {archive.modified_ns} {archive.inode}"
    return f"{profile}/{archive.type.value}/{archive.name} {version}"


@define
class _PassingDigest:
    """A file read from wherever a server stands, whose digest is computed once over all of it, in order."""

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
        """The digest of the whole file, of which some may not have been sent this time."""
        for block in self._file.read(self._hashed_bytes):
            self._hash(block, self._hashed_bytes)
        return self.sha256

    @property
    def sha256(self) -> str:
        return self._checksum.digest().hex()

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
    """One archive on its way, over as many requests as it takes."""

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

    @property
    def _key(self) -> str:
        return note_key(self._id.profile, self._archive)

    def has_moved(self) -> bool:
        """Whether the server has more than when this was asked last."""
        moved, self._seen_bytes = self._offset_bytes > self._seen_bytes, self._offset_bytes
        return moved

    def whole(self) -> BackupArchive:
        blocks = self._passing.blocks(0)
        return self._push.remote.put(
            self._id, blocks, self._archive.size_bytes, self._digests, self._lineage, self._taken_at, self._notes
        )

    def resumable(self) -> BackupArchive:
        push = self._push
        noted = upload = push.notes.get(self._key)
        try:
            progress = UploadProgress(0) if upload is None else push.remote.upload_progress(upload)
            if upload is None:
                upload = push.remote.create_upload(
                    self._id, self._archive.size_bytes, self._digests, self._lineage, self._taken_at
                )
                push.notes.put(self._key, upload)
            self._offset_bytes = progress.offset_bytes
            if progress.stored is None:
                blocks = self._passing.blocks(progress.offset_bytes)
                progress = push.remote.append(
                    upload,
                    progress.offset_bytes,
                    blocks,
                    self._archive.size_bytes - progress.offset_bytes,
                    notes=self._notes,
                )
        except (UploadGone, UploadNotFound):
            push.notes.put(self._key, None)
            if noted is None:
                raise
            self._offset_bytes = 0
            return self.resumable()
        if progress.stored is None:
            raise UploadGone(upload, "the server took every byte and names no archive")
        push.notes.put(self._key, None)
        return progress.stored
