"""
Snapshot files as they lie on the disk: packed where that is worth it.

::

    TKSNAR1 and a line feed, a zlib stream, the bytes it unpacks to (8, little endian)

tar's snapshot file of 300,000 names has twice the bytes of a night's archive, and next night's says nearly the same.
Short ones, and those that somebody put there by hand, are just the bytes; what would be taken for a packed one is
packed itself. Which bytes it comes to never depends on how it lies there.
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

from ...domain.errors.archives import ArchiveCorrupt
from ...domain.identity.archive_id import ArchiveId
from ...domain.ports.store import ArchiveReader, Block

try:
    from isal import isal_zlib
except ImportError:  # a platform it has no wheel for
    isal_zlib = None  # type: ignore[assignment]  # a module, which mypy takes for always there

MAGIC = b"TKSNAR1\n"
SHORT_BYTES = 64 << 10
SIZE = Struct("<Q")
_BLOCK_BYTES = 1 << 20


class Packer(Protocol):
    """A zlib stream that is being written."""

    def compress(self, data: Block, /) -> bytes: ...

    def flush(self) -> bytes: ...


class BadSnapshot(Exception):
    """A snapshot file is not what was written."""


def packed(blocks: Iterable[Block]) -> Iterator[bytes]:
    """A snapshot file of *blocks* as it is written. An error that *blocks* raise comes through."""
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
    # to less than the other's level 3, five times as fast
    return isal_zlib.compressobj(3) if isal_zlib else zlib.compressobj(6)


def unpacked(written: Iterable[Block]) -> Iterator[bytes]:
    """
    The bytes of a snapshot file that was *written* so, in blocks of at most 1 MiB, where those written are no longer.

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
    """Whether two snapshot files that were written so come to the same bytes; a damaged one comes to none."""
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
    """An `ArchiveReader` of the snapshot file that *written* reads as it lies on the disk."""

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
