"""
The store: the bytes of archives and their side-cars by identity. It is the truth; all else can be rebuilt from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol, TypeAlias

from attrs import frozen

from ..archives.totals import Usage
from ..identity.archive_id import ArchiveId

Block: TypeAlias = bytes | bytearray | memoryview
"""A piece of an archive of any length. Unless a method says otherwise, it may be kept only until the call returns."""


def untold() -> None:
    """Nobody is told."""


@frozen
class StoredArchive:
    """
    What a store holds under one identity: the number of bytes, and the side-car, or None where it is missing.

    *has_snapshot* tells whether tar's snapshot file is kept with it.
    """

    id: ArchiveId
    size_bytes: int
    sidecar: bytes | None
    has_snapshot: bool = False


@frozen
class TrashedArchive:
    """
    What the trash holds under one identity: number of bytes, side-car, and the note that says why it is there.

    *size_bytes* is None if the bytes are not there: they were purged, or a crash came between note and bytes. Then
    *has_remains* says that something of what lay beside them is there. *note* is None if it was lost.
    """

    id: ArchiveId
    size_bytes: int | None
    sidecar: bytes | None
    note: bytes | None
    has_snapshot: bool = False
    has_remains: bool = False


class ArchiveReader(AbstractContextManager["ArchiveReader", None], Protocol):
    """
    The bytes of one archive, or of a range of it; leaving the context releases its resources.

    Iterating gives blocks of at most 1 MiB, in order; their lengths sum up to *size_bytes*. An archive that has become
    shorter since it was opened, or that the medium can no longer read in full, raises `ArchiveCorrupt`. Used by one
    thread at a time.
    """

    @property
    def size_bytes(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


@frozen
class LyingBeside:
    """What is kept of an archive beside its bytes: side-car and marks, each None where it is missing."""

    sidecar: bytes | None
    marks: bytes | None


class Rereading(AbstractContextManager["Rereading", None], Protocol):
    """
    Several archives that are read from the medium in an order that was told before, so that the next ones can be
    fetched meanwhile. Used by one thread at a time; leaving the context releases everything.
    """

    def bytes_of(self, id: ArchiveId) -> ArchiveReader:
        """As `ArchiveStore.reread`."""

    def beside(self, id: ArchiveId) -> LyingBeside:
        """
        What lies beside the bytes of *id*, all of it with those very bytes; after `bytes_of`, as the medium has it.

        Raises:
            ArchiveNotFound: no archive is stored under *id*.
        """


class ArchiveWriter(AbstractContextManager["ArchiveWriter", None], Protocol):
    """
    An archive while it is written to a store; used by one thread at a time.

    The order is ``write`` any number of times, ``seal``, ``publish``; until ``publish`` returns, the store shows
    nothing. Leaving the context before that drops everything written; a writer that continues an upload
    (`ArchiveStore.resume`) keeps what `sync` made durable.
    """

    @property
    def size_bytes(self) -> int:
        """The bytes written so far, by this writer and by earlier ones of the same upload."""

    def write(self, block: Block) -> None:
        """Append *block*."""

    def sync(self) -> None:
        """
        Make the written bytes durable in staging. A failure is final, as in `seal`.

        May run in another thread than the other methods; it covers what was written before the call.
        """

    def staged(self, start: int = 0) -> Iterator[bytes]:
        """The written bytes from *start* on, in blocks of at most 1 MiB."""

    def truncate(self, size_bytes: int) -> None:
        """Drop the bytes written beyond *size_bytes*."""

    def seal(self, sidecar: bytes, marks: bytes | None = None) -> None:
        """
        Make the written bytes, *sidecar*, and *marks* if there are any, durable in staging.

        May be called again with others; the last call counts. A failure is final: the writer cannot be sealed any more.
        """

    def publish(self, id: ArchiveId) -> None:
        """
        Make the sealed archive visible as *id*. When this returns, bytes, side-car and marks survive a power cut.

        Atomic: other callers see nothing or everything. Never overwrites an archive. A side-car or marks without an
            archive, which a crash can leave, are replaced.

        Raises:
            AlreadyPublished: the store holds *id*, be it in the trash, which stays as it is. The writer may be sealed
                again and published under another identity.
            ValueError: not sealed, written to since, or published already.
        """

    def replace(self, id: ArchiveId) -> None:
        """
        As `publish`, but replaces the archive *id* in the store; its snapshot file and its marks stay, whatever marks
        it was sealed with. The bytes that were there are kept in the quarantine, if that is possible.

        Other callers may see neither archive for a moment, and a crash may leave neither; these files survive.
        """


class ArchiveStore(Protocol):
    """
    The bytes of archives and their side-cars, by identity: the truth.

    An archive that was moved to the trash is not found there by any method but those that speak of the trash, of notes
    or of marks.
    """

    def begin(self) -> ArchiveWriter:
        """Start to receive an archive into staging."""

    def resume(self, upload: str, size_bytes: int) -> ArchiveWriter:
        """
        Go on with the first *size_bytes* bytes that an earlier writer of *upload* left; the rest is dropped.

        *upload* is 1 to 64 characters of ``a-z0-9-``; with 0 bytes it begins. One writer at a time may be open for it.

        Raises:
            StagedBytesMissing: staging holds fewer bytes than that.
        """

    def staged_bytes(self, upload: str) -> int:
        """How many bytes of *upload* `resume` would find; 0 for an unknown upload."""

    def discard(self, upload: str) -> None:
        """Drop what staging holds of *upload*. An unknown upload is no error."""

    def read(self, id: ArchiveId, start: int = 0, stop: int | None = None) -> ArchiveReader:
        """
        The bytes from *start* (inclusive) to *stop* (exclusive; None is the end), clipped to the archive.

        Raises:
            ArchiveNotFound: at this call, not at the first block.
        """

    def reread(self, id: ArchiveId) -> ArchiveReader:
        """
        All bytes of *id* as the medium has them now: what a cache of this machine holds of them, or of anything that is
        kept with *id*, is dropped before. What is read is not cached.

        Raises:
            ArchiveNotFound: at this call, not at the first block.
        """

    def rereading(self, ids: Sequence[ArchiveId]) -> Rereading:
        """*ids* to be read as by `reread`, in this order. Of an archive that is not stored only its own call tells."""

    def stat(self, id: ArchiveId) -> StoredArchive:
        """
        The archive stored under *id*.

        Raises:
            ArchiveNotFound: no archive is stored under *id*.
        """

    def scan(self) -> Iterator[StoredArchive]:
        """
        Every published archive, in the order of `ArchiveId`.

        Any other file (foreign files, names that break the rules) is passed over. Archives published or removed
        meanwhile may or may not be seen.
        """

    def annotate(self, id: ArchiveId, sidecar: bytes, instead_of: bytes | None = None) -> None:
        """
        Durably give the archive *id* a side-car: a first one, or another *instead_of* its present one.

        Other callers see the old or the new side-car, whole, also after a crash.

        Raises:
            AlreadyPublished: the archive has a side-car that is not *instead_of*; it stays.
            ArchiveNotFound: no archive is stored under *id*.
        """

    def keep_snapshot(self, id: ArchiveId, blocks: Iterable[Block], *, replace: bool = False) -> None:
        """
        Durably keep tar's snapshot file, the bytes of *blocks*, with the archive *id*. Keeping equal bytes again is no
        error.

        With *replace* it atomically replaces another one: for callers that know the kept file is damaged. *blocks* are
        read once, into staging, in bounded memory. An error that they raise passes through, and nothing is kept.

        Raises:
            AlreadyPublished: another snapshot file is kept with *id*; it stays.
            ArchiveNotFound: no archive is stored under *id*.
        """

    def snapshot(self, id: ArchiveId) -> ArchiveReader:
        """
        The bytes of the snapshot file kept with *id*.

        Raises:
            SnapshotNotFound: the archive is not stored, or no snapshot file is kept with it.
        """

    def ids(self) -> Iterator[ArchiveId]:
        """
        Every identity that has an archive file, those of one profile and type together.

        Reads only names, and so costs less than `scan`.
        """

    def snapshots(self) -> Iterator[ArchiveId]:
        """
        Every identity that has a snapshot file, those of one profile and type together.

        Reads only names, and does not check that the archive exists.
        """

    def remove(self, id: ArchiveId) -> None:
        """Durably remove archive, snapshot file, marks and side-car, not from the trash. A missing one is no error."""

    def marks(self, id: ArchiveId) -> bytes | None:
        """
        The marks of the archive *id*, also if it is in the trash; None if it was never marked.

        Raises:
            ArchiveNotFound: no archive is stored under *id*, nor is one in the trash.
        """

    def mark(self, id: ArchiveId, marks: bytes, instead_of: bytes | None) -> None:
        """
        Durably give the archive *id*, also if it is in the trash, other marks *instead_of* its present ones.

        Other callers see the old or the new marks, whole, also after a crash. After an error they may see new ones
        that are not durable: mark it again, instead of those.

        Raises:
            AlreadyPublished: its marks are not *instead_of*; they stay.
            ArchiveNotFound: as `marks`.
        """

    def marked(self, profile: str | None = None) -> Iterator[ArchiveId]:
        """
        Every identity, or every one of *profile*, that has marks, in the trash too.

        Reads only names, and does not check that the archive exists.
        """

    def trash(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None] = untold) -> None:
        """
        Durably move the archive *id*, with all that is kept with it, to the trash, where *note* says why.

        It is in the store or in the trash at any moment, and after a crash in one of them or in both, as a whole. Then
        this finishes the move, and `untrash` undoes it. Trashing what is in the trash only replaces its note. *note* is
        an encoded `TrashNote` without *purged_at*; it replaces that on an earlier archive of this name.

        *tell* is called once the note and the archive are durably in the trash, and before anything leaves the store:
        whoever sees the archive in the trash alone knows that it was told.

        Raises:
            ArchiveProtected: its marks protect the archive at *now*, or cannot be read.
            AlreadyPublished: another archive of this name is in the trash.
            ArchiveNotFound: no archive is stored under *id*, nor is one in the trash.
        """

    def untrash(self, id: ArchiveId) -> None:
        """
        Durably move the archive *id* from the trash to where it was, and drop the note; likewise never in neither.

        Raises:
            AlreadyPublished: another archive is stored under *id*.
            ArchiveNotFound: no archive *id* is in the trash.
        """

    def trashed(self) -> Iterator[TrashedArchive]:
        """
        Every archive in the trash, and every note on one that was purged, in the order of `ArchiveId`.

        After a crash one may be listed that `scan` lists as well. One moved meanwhile may or may not be seen.
        """

    def note(self, id: ArchiveId) -> bytes | None:
        """The note on *id* in the trash, also if its bytes were purged; None without one."""

    def purge(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None] = untold) -> None:
        """
        Durably remove the archive *id*, and all that is kept with it, from the trash; only *note* stays.

        *note* is an encoded `TrashNote` with *purged_at*. It is durable before anything is removed. Purging again
        finishes what a crash or an error interrupted: until then `trashed` shows the bytes, or that there are remains.
        It changes no note. From then on the name may be published again.

        *tell* is called once the note is durable, and before anything is removed.

        Raises:
            ArchiveProtected: as `trash`.
            ArchiveNotFound: neither an archive *id* nor a note on it is in the trash.
        """

    def forget(self, id: ArchiveId) -> None:
        """
        Durably remove the note on an archive that was purged. An unknown one is no error.

        Raises:
            AlreadyPublished: its bytes are in the trash.
        """

    def empty_quarantine(self, older_than: datetime) -> int:
        """Durably remove replaced bytes that came to the quarantine before that time. Returns how many there were."""

    def check(self) -> None:
        """
        Ask the medium whether it is there, and wait some seconds at most.

        Raises:
            BackendUnavailable: it does not answer.
        """

    def usage(self) -> Usage:
        """Used and free bytes of the medium."""

    def sweep(self, older_than: datetime, keeping: Callable[[], Collection[str]] = tuple) -> int:
        """
        Drop what abandoned writers left in staging and have not touched since *older_than*. Returns how many were
        dropped.

        Open writers of this process are never touched, nor are the uploads that *keeping* names. It is called once all
        that lies there has been listed: an upload that another server begins meanwhile is named, or not yet there.
        """

    def close(self) -> None:
        """Release the store's resources, such as its lock. Idempotent."""


class Ballast(Protocol):
    """
    Space of the medium that is set aside, to be given up when a full one has no room for what frees space.

    Any number of threads. No method raises: without it, a full medium is full.
    """

    def keep(self) -> bool:
        """Set the space aside, if the medium has room for it many times over. Returns whether it is set aside."""

    def give_up(self) -> bool:
        """Free the space. Returns whether there was any."""
