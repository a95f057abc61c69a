"""Raw deflate, inflated by isal or, as a fallback, by the standard library's zlib."""

from __future__ import annotations

import zlib
from typing import Protocol

try:
    from isal import igzip_lib
except ImportError:  # a platform it has no wheel for
    igzip_lib = None  # type: ignore[assignment]

PIECE_BYTES = 128 << 10
"""
The most that is inflated at once. Larger pieces are no faster (645 MB/s at 128, 256 and 512 KiB), and a restore with a
slow client holds several of them.
"""


class BadDeflate(Exception):
    """The bytes are not a deflate stream."""


# isal's stubs declare its error as an instance of Exception.
_ISAL_ERROR: type[Exception] = igzip_lib.IsalError if igzip_lib else BadDeflate  # type: ignore[assignment]


class Inflater(Protocol):
    """
    A raw deflate stream being inflated.

    *unused_bytes* is how much of the input lies after the end of the stream, and *crc* the CRC-32 of the inflated
    bytes; both are valid once *ended* is true.
    """

    @property
    def ended(self) -> bool: ...

    @property
    def unused_bytes(self) -> int: ...

    @property
    def crc(self) -> int: ...

    def inflate(self, data: memoryview | bytes) -> bytes:
        """
        At most `PIECE_BYTES` of what *data* inflates to. After a full piece, call again with ``b""``, not with more
        data, until a piece is not full.

        Raises:
            BadDeflate: *data* cannot be inflated.
        """


class InflateEngine(Protocol):
    """Starts a deflate stream: one of the two classes below."""

    def __call__(self, window: bytes = b"") -> Inflater:
        """*window* is what the stream may refer back to: the last bytes before a position in its middle."""


class IsalInflater:
    """Deflate by isal, which computes the CRC in passing."""

    def __init__(self, window: bytes = b"") -> None:
        # The mode without header leaves the trailer to `GzipStream`; plain deflate mode would not compute the CRC.
        self._stream = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP_NO_HDR, zdict=window)

    @property
    def ended(self) -> bool:
        return self._stream.eof

    @property
    def unused_bytes(self) -> int:
        return len(self._stream.unused_data)

    @property
    def crc(self) -> int:
        return self._stream.crc

    def inflate(self, data: memoryview | bytes) -> bytes:
        try:
            return self._stream.decompress(data, PIECE_BYTES)
        except _ISAL_ERROR as error:
            raise BadDeflate(str(error)) from error


class ZlibInflater:
    """Deflate by the standard library: half as fast, always available."""

    def __init__(self, window: bytes = b"") -> None:
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS, zdict=window)
        self.crc = 0

    @property
    def ended(self) -> bool:
        return self._stream.eof

    @property
    def unused_bytes(self) -> int:
        return len(self._stream.unused_data)

    def inflate(self, data: memoryview | bytes) -> bytes:
        try:
            piece = self._stream.decompress(self._stream.unconsumed_tail or data, PIECE_BYTES)
        except zlib.error as error:
            raise BadDeflate(str(error)) from error
        self.crc = zlib.crc32(piece, self.crc)
        return piece


FASTEST: InflateEngine = IsalInflater if igzip_lib else ZlibInflater
"""The engine to use by default."""


def begun_inside(engine: InflateEngine, window: bytes, bit: int, byte: int) -> Inflater:
    """
    A stream that starts at a deflate block in the middle of another, which begins with bit *bit* (0 to 7, the lowest
    is 0) of *byte*; the caller feeds the bytes after that one. With bit 0, *byte* is ignored and must be fed, too.

    Raises:
        BadDeflate: no block can begin like that.
    """
    inflater = engine(window)
    if bit:
        inflater.inflate(_lead_in(bit, byte))
    return inflater


# Neither library can begin at a bit. So blocks that inflate to nothing are put in front, as many as shift what follows
# to its place. Each is given here as its bits, lowest first, and their number. One with fixed codes has 10 bits, which
# makes every even shift. Odd shifts begin with one of 91 bits, which has its own codes: one bit each for literal 0, for
# the end and for a distance.
_EMPTY_FIXED = (0b010, 10)


def _empty_dynamic() -> tuple[int, int]:
    codes_for_lengths = [0, 0, 1, *[0] * 14, 1]  # in deflate's order: one bit each for 18, many zeros, and for 1
    fields = [
        (0b100, 3),
        (0, 5),
        (0, 5),
        (len(codes_for_lengths) - 4, 4),
        *((length, 3) for length in codes_for_lengths),
    ]
    fields += [
        (0, 1),
        (1, 1),
        (138 - 11, 7),
        (1, 1),
        (117 - 11, 7),
        (0, 1),
        (0, 1),
    ]  # literal 0, 255 absent, end, distance
    fields += [(1, 1)]  # the end
    bits = count = 0
    for value, width in fields:
        bits |= value << count
        count += width
    return bits, count


def _lead_in(bit: int, byte: int) -> bytes:
    bits, count = _empty_dynamic() if bit % 2 else (0, 0)
    while count % 8 != bit:
        bits |= _EMPTY_FIXED[0] << count
        count += _EMPTY_FIXED[1]
    return (bits | byte >> bit << count).to_bytes(count // 8 + 1, "little")
