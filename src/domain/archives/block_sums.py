"""
Checksums of the blocks of an archive, by which any part of it can be checked without reading the rest.

The SHA-256 of an archive identifies it, but takes longer to compute than the archive takes to send, and says nothing
about a part. So while an archive is received, a CRC-32 of each block is noted beside it. Later reads use the same
blocks, and never return a block with another sum: not in a download, a range, or to code that looks inside. A CRC-32
finds every change of up to 32 bits in a row, and misses one in four billion of all others.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeAlias

from attrs import define, field, frozen

Crc32: TypeAlias = Callable[[bytes | bytearray | memoryview, int], int]
"""The CRC-32 of a piece, continued from the CRC-32 of what precedes it."""

BLOCK_BYTES = 256 << 10
"""The length of each block but the last, which may be shorter; sums take 16 bytes for each MiB."""


@frozen
class BlockSums:
    """
    The CRC-32 of each block of an archive of *size_bytes*, in order, 4 bytes each, little endian.

    Raises:
        ValueError: the number of sums differs from the number of blocks.
    """

    size_bytes: int
    sums: bytes = field(repr=False)

    def __attrs_post_init__(self) -> None:
        if len(self.sums) != 4 * -(-self.size_bytes // BLOCK_BYTES):
            raise ValueError(f"{len(self.sums)} bytes are not the sums of {self.size_bytes} bytes")

    def of(self, block: int) -> int:
        """The sum of *block*, counted from 0."""
        found: int = _SUM.unpack_from(self.sums, 4 * block)[0]
        return found


_SUM = struct.Struct("<I")


@define
class RunningSums:
    """The sums of an archive that arrives in pieces of any length; used by one thread at a time."""

    _crc32: Crc32
    _size_bytes: int = 0
    _sum: int = 0  # of the received part of the last block
    _sums: bytearray = field(factory=bytearray)

    def update(self, piece: bytes | bytearray | memoryview) -> None:
        """Add *piece*."""
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
        """The sums of everything received."""
        is_cut = self._size_bytes % BLOCK_BYTES != 0
        return BlockSums(self._size_bytes, bytes(self._sums) + (_SUM.pack(self._sum) if is_cut else b""))
