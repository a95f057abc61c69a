"""
Sums of the blocks of an archive, by which any part of it can be checked without reading the rest.

The SHA-256 of an archive says what it is, and to compute it takes longer than to send it; of a part it says nothing.
So while an archive is received, a CRC-32 of each block is noted beside it. What is read later is read in the same
blocks, and none is given out whose sum is another: neither in a download nor in a range, nor to whatever looks inside.
A CRC-32 finds every change of up to 32 bits in a row, and of all others it misses one in four billion.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeAlias

from attrs import define, field, frozen

Crc32: TypeAlias = Callable[[bytes | bytearray | memoryview, int], int]
"""The CRC-32 of a piece that follows what has the one given."""

BLOCK_BYTES = 256 << 10
"""The length of a block, of which the last is shorter; sums take 16 bytes for each MiB."""


@frozen
class BlockSums:
    """
    The CRC-32 of each block of an archive of *size_bytes*, in order, 4 bytes each, little endian.

    Raises:
        ValueError: these are not as many as it has blocks.
    """

    size_bytes: int
    sums: bytes = field(repr=False)

    def __attrs_post_init__(self) -> None:
        if len(self.sums) != 4 * -(-self.size_bytes // BLOCK_BYTES):
            raise ValueError(f"{len(self.sums)} bytes are not the sums of {self.size_bytes}")

    def of(self, block: int) -> int:
        """The sum of that block, counted from 0."""
        found: int = _SUM.unpack_from(self.sums, 4 * block)[0]
        return found


_SUM = struct.Struct("<I")


@define
class RunningSums:
    """The sums of the blocks so far, of an archive that comes in pieces of any length; used by one thread at a time."""

    _crc32: Crc32
    _size_bytes: int = 0
    _sum: int = 0  # of what there is of the last block
    _sums: bytearray = field(factory=bytearray)

    def update(self, piece: bytes | bytearray | memoryview) -> None:
        """Take *piece* in."""
        rest = memoryview(piece).cast("B")
        while rest:
            part = rest[: BLOCK_BYTES - self._size_bytes % BLOCK_BYTES]
            self._sum = self._crc32(part, self._sum)
            self._size_bytes += len(part)
            rest = rest[len(part) :]
            if self._size_bytes % BLOCK_BYTES == 0:
                self._sums += _SUM.pack(self._sum)
                self._sum = 0

    def finish(self) -> BlockSums:
        """The sums of all that came."""
        is_cut = self._size_bytes % BLOCK_BYTES != 0
        return BlockSums(self._size_bytes, bytes(self._sums) + (_SUM.pack(self._sum) if is_cut else b""))
