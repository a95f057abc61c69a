"""
Snapshot files as they are stored on disk: compressed if that is worth it.

::

    TKSNAR1 and a line feed, a zlib stream, the bytes it unpacks to (8, little endian)

tar's snapshot file of 300,000 names is twice as large as a night's archive, and the next night's is nearly the same.
Short files, and those put there by hand, are stored as plain bytes; a file that would be mistaken for a packed one is
itself packed. The content never depends on how it is stored.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import chain
from struct import Struct
from types import TracebackType
from typing import Protocol

from attrs import frozen

from ....domain.errors.archives import ArchiveCorrupt
from ....domain.identity.archive_id import ArchiveId
from ....domain.ports.store import ArchiveReader, Block

try:
    from isal import isal_zlib
except ImportError:  # a platform it has no wheel for
    isal_zlib = None  # type: ignore[assignment]  # mypy takes the module for always present

MAGIC = b"TKSNAR1\n"
SHORT_BYTES = 64 << 10
SIZE = Struct("<Q")
_BLOCK_BYTES = 1 << 20


class Packer(Protocol):
    """A zlib stream that is being written."""

    def compress(self, data: Block, /) -> bytes: ...

    def flush(self) -> bytes: ...


class WrittenSnapshot(ArchiveReader, Protocol):
    """A reader of a whole stored file, of which pieces can be read, too."""

    def at(self, position: int, count: int) -> bytes:
        """Up to *count* bytes, starting at *position*."""


class BadSnapshot(Exception):
    """A snapshot file does not hold what was written to it."""


def packed(blocks: Iterable[Block]) -> Iterator[bytes]:
    """The stored form of the snapshot file *blocks*. An error raised by *blocks* passes through."""
    rest = iter(blocks)
    held = bytearray()
    for block in rest:
        held += block
        if len(held) > SHORT_BYTES:
            break
    if len(held) <= SHORT_BYTES and not held.startswith(MAGIC):
        yield bytes(held)
        return
    yield MAGIC
    stream, size_bytes = _packer(), 0
    for block in chain((held,), rest):
        size_bytes += len(block)
        yield stream.compress(block)
    yield stream.flush() + SIZE.pack(size_bytes)


def _packer() -> Packer:
    # smaller than zlib's level 3, five times as fast
    return isal_zlib.compressobj(3) if isal_zlib else zlib.compressobj(6)


def unpacked(written: Iterable[Block]) -> Iterator[bytes]:
    """
    The bytes of a stored snapshot file, in blocks of at most 1 MiB, provided that those of *written* are no longer.

    Raises:
        BadSnapshot: the file is damaged.
    """
    rest = iter(written)
    head = b""
    while len(head) < len(MAGIC) and (block := next(rest, None)) is not None:
        head += block
    if not head.startswith(MAGIC):
        yield from (bytes(block) for block in chain((head,), rest) if len(block))
        return
    stream, size_bytes, tail = zlib.decompressobj(), 0, b""
    for block in chain((head[len(MAGIC) :],), rest):
        left: Block = block
        while len(left) and not stream.eof:
            try:
                found = stream.decompress(left, _BLOCK_BYTES)
            except zlib.error as error:
                raise BadSnapshot(str(error)) from error
            left = stream.unused_data if stream.eof else stream.unconsumed_tail
            size_bytes += len(found)
            if found:
                yield found
        tail += left
    if not stream.eof or tail != SIZE.pack(size_bytes):
        raise BadSnapshot("it is cut")


def are_equal(one: Iterable[Block], other: Iterable[Block]) -> bool:
    """Whether two stored snapshot files have the same content; a damaged one equals nothing."""
    digests = set()
    for written in (one, other):
        digest = sha256()
        try:
            for block in unpacked(written):
                digest.update(block)
        except BadSnapshot:
            return False
        digests.add(digest.digest())
    return len(digests) == 1


@frozen
class SnapshotReader:
    """An `ArchiveReader` of the snapshot file that *written* reads in its stored form."""

    id: ArchiveId
    written: ArchiveReader
    size_bytes: int

    def __iter__(self) -> Iterator[bytes]:
        left = self.size_bytes
        try:
            for block in unpacked(self.written):
                left -= len(block)
                if left < 0:
                    break
                yield block
        except BadSnapshot as error:
            raise ArchiveCorrupt(self.id) from error
        if left:
            raise ArchiveCorrupt(self.id)

    def __enter__(self) -> SnapshotReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.written.__exit__(kind, error, traceback)


def snapshot_reader(id: ArchiveId, written: WrittenSnapshot) -> SnapshotReader:
    """A reader of the unpacked content of a snapshot file that may be packed."""
    size_bytes = written.size_bytes
    head, tail = written.at(0, len(MAGIC)), written.at(max(0, size_bytes - SIZE.size), SIZE.size)
    if head == MAGIC and len(tail) == SIZE.size:
        (size_bytes,) = SIZE.unpack(tail)
    return SnapshotReader(id, written, size_bytes)
