"""
The store: the bytes of archives and their side-cars by identity. It is the truth; all else can be made again from it.
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
"""A piece of an archive of any length. Unless the method says otherwise it may be kept only until the call returns."""


@frozen
class StoredArchive:
    """
    What a store holds under one identity: the number of bytes, and the side-car, None where it is missing.

    *has_snapshot* tells whether tar's snapshot file is kept with it.
    """

    id: ArchiveId
    size_bytes: int
    sidecar: bytes | None
    has_snapshot: bool = False


class ArchiveReader(AbstractContextManager["ArchiveReader", None], Protocol):
    """
    The bytes of one archive, or of a range of it; leaving the context releases what it holds.

    Iterating gives blocks of at most 1 MiB, in order; their lengths sum up to *size_bytes*. An archive that turns out
    shorter than it was when opened, or of which the medium gives a part no more, raises `ArchiveCorrupt`. Used by one
    thread at a time.
    """

    @property
    def size_bytes(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


class ArchiveWriter(AbstractContextManager["ArchiveWriter", None], Protocol):
    """
    An archive on its way into a store; used by one thread at a time.

    The order is ``write`` any number of times, ``seal``, ``publish``; until ``publish`` returned nothing is visible
    through the store. Leaving the context before that drops everything written, or, of a writer that goes on with an
    upload (`ArchiveStore.resume`), keeps what `sync` made durable.
    """

    @property
    def size_bytes(self) -> int:
        """The bytes written so far, by this writer and by those before it."""

    def write(self, block: Block) -> None:
        """Append *block*."""

    def sync(self) -> None:
        """
        Make what was written durable in staging. A failure is final, as in `seal`.

        May run in another thread than the rest; it then covers what was written before it was called.
        """

    def staged(self, start: int = 0) -> Iterator[bytes]:
        """What was written, from *start* on, in blocks of at most 1 MiB."""

    def truncate(self, size_bytes: int) -> None:
        """Take back what was written beyond *size_bytes*."""

    def seal(self, sidecar: bytes) -> None:
        """
        Make what was written, and *sidecar*, durable in staging.

        May be called again with another side-car. A failure is final: the writer cannot be sealed any more.
        """

    def publish(self, id: ArchiveId) -> None:
        """
        Make the sealed archive visible as *id*. When this returns, bytes and side-car survive a power cut.

        Atomic: other callers see nothing or everything. Never overwrites. A side-car without an archive, as a crash
        can leave it, is not an archive and gives way.

        Raises:
            AlreadyPublished: the store holds *id*; it is untouched. The writer may be sealed again and published under
                another identity.
            ValueError: not sealed, written to since, or published already.
        """

    def replace(self, id: ArchiveId) -> None:
        """
        As `publish`, but what the store holds of the archive *id* gives way; the snapshot file kept with it stays.

        Others may see neither for a moment, and a crash may leave neither; the snapshot file outlives that, too.
        """


class ArchiveStore(Protocol):
    """The bytes of archives and their side-cars, by identity. The truth."""

    def begin(self) -> ArchiveWriter:
        """Start receiving an archive into staging."""

    def resume(self, upload: str, size_bytes: int) -> ArchiveWriter:
        """
        Go on with the first *size_bytes* bytes that an earlier writer of *upload* left; the rest of them is dropped.

        *upload* is 1 to 64 characters of ``a-z0-9-``; 0 bytes begin it. One writer at a time may be open for it.

        Raises:
            StagedBytesMissing: staging holds fewer bytes than that.
        """

    def staged_bytes(self, upload: str) -> int:
        """How many bytes `resume` finds of *upload*; 0 where there is nothing of it."""

    def discard(self, upload: str) -> None:
        """Drop what staging holds of *upload*. Nothing there is no error."""

    def read(self, id: ArchiveId, start: int = 0, stop: int | None = None) -> ArchiveReader:
        """
        The bytes from *start* (inclusive) to *stop* (exclusive; None is the end), clipped to the archive.

        Raises:
            ArchiveNotFound: at this call, not at the first block.
        """

    def stat(self, id: ArchiveId) -> StoredArchive:
        """
        What is stored under *id*.

        Raises:
            ArchiveNotFound: nothing is.
        """

    def scan(self) -> Iterator[StoredArchive]:
        """
        Every published archive, in the order of `ArchiveId`.

        Anything else that lies about (names that break the rules, foreign files) is passed over. What is published
        or removed meanwhile may or may not be seen.
        """

    def annotate(self, id: ArchiveId, sidecar: bytes, instead_of: bytes | None = None) -> None:
        """
        Durably give the archive *id* a side-car: the one it lacks, or another *instead_of* the one it has.

        Others see the one or the other, whole, and so does whoever comes after a crash.

        Raises:
            AlreadyPublished: it has one, and not that; it stays.
            ArchiveNotFound: there is no such archive.
        """

    def keep_snapshot(self, id: ArchiveId, blocks: Iterable[Block], *, replace: bool = False) -> None:
        """
        Durably keep tar's snapshot file, the bytes of *blocks*, with the archive *id*. The same again are no error.

        With *replace* another one gives way, whole to whole: for who knows that what is kept is damaged. *blocks* are
        read once, into staging, in bounded memory. An error they raise comes through, and nothing is kept.

        Raises:
            AlreadyPublished: another one is kept with it; that stays.
            ArchiveNotFound: there is no such archive.
        """

    def snapshot(self, id: ArchiveId) -> ArchiveReader:
        """
        The bytes of the snapshot file kept with *id*.

        Raises:
            SnapshotNotFound: the archive is not stored, or no snapshot file is kept with it.
        """

    def ids(self) -> Iterator[ArchiveId]:
        """
        Every identity under whose name an archive lies, those of one profile and type together.

        Only names are looked at, so that it costs less than `scan`.
        """

    def snapshots(self) -> Iterator[ArchiveId]:
        """
        Every identity under whose name a snapshot file lies, those of one profile and type together.

        Only names are looked at: whether the archive is there is not.
        """

    def remove(self, id: ArchiveId) -> None:
        """Take archive, snapshot file and side-car away, durably. Whatever of them is not there is no error."""

    def usage(self) -> Usage:
        """Used and free bytes of the medium."""

    def sweep(self, older_than: datetime, keeping: Collection[str] = ()) -> int:
        """
        Drop what abandoned writers left in staging and did not touch since *older_than*; how many were dropped.

        Writers of this process that are still open are never touched, nor are the uploads named in *keeping*.
        """

    def close(self) -> None:
        """Release what the store holds, such as its lock. Idempotent."""
