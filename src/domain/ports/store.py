"""
The store: the bytes of archives and their side-cars by identity. It is the truth; all else can be rebuilt from it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol, TypeAlias

from attrs import frozen

from ..archives.totals import Usage
from ..identity.archive_id import ArchiveId

Block: TypeAlias = bytes | bytearray | memoryview
"""A piece of an archive of any length. Unless a method says otherwise, it may be kept only until the call returns."""


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

    def seal(self, sidecar: bytes) -> None:
        """
        Make the written bytes, and *sidecar*, durable in staging.

        May be called again with another side-car. A failure is final: the writer cannot be sealed any more.
        """

    def publish(self, id: ArchiveId) -> None:
        """
        Make the sealed archive visible as *id*. When this returns, bytes and side-car survive a power cut.

        Atomic: other callers see nothing or everything. Never overwrites an archive. A side-car without an archive,
            which a crash can leave, is replaced.

        Raises:
            AlreadyPublished: the store holds *id*, which stays as it is. The writer may be sealed again and published
                under another identity.
            ValueError: not sealed, written to since, or published already.
        """

    def replace(self, id: ArchiveId) -> None:
        """
        As `publish`, but replaces the archive *id* in the store; the snapshot file kept with it stays.

        Other callers may see neither archive for a moment, and a crash may leave neither; the snapshot file survives.
        """


class ArchiveStore(Protocol):
    """The bytes of archives and their side-cars, by identity: the truth."""

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
        """Durably remove archive, snapshot file and side-car. A missing one is no error."""

    def usage(self) -> Usage:
        """Used and free bytes of the medium."""

    def sweep(self, older_than: datetime, keeping: Collection[str] = ()) -> int:
        """
        Drop what abandoned writers left in staging and have not touched since *older_than*. Returns how many were
        dropped.

        Open writers of this process are never touched, nor are the uploads named in *keeping*.
        """

    def close(self) -> None:
        """Release the store's resources, such as its lock. Idempotent."""
