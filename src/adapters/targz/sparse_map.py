"""
The map in front of a sparse file's data in pax format 1.0, parsed as it passes.

Decimal numbers, each followed by a newline: the number of regions, then start and length of each, padded to a whole
block. GNU tar reads as many blocks of data as the map says, whatever the size in the header is: a map that does not
match the size makes it see other members than other readers, so it is an error.
"""

from __future__ import annotations

from ...domain.errors.content import NotATar
from ...domain.tar.two_readings import BLOCK_BYTES

_LONGEST = 19  # digits of a number up to 2**63 - 1
_LARGEST = (1 << 63) - 1


class SparseMap:
    """The map in front of the *size_bytes* of data, including the map, of the member whose header is at *at*."""

    def __init__(self, at: int, size_bytes: int) -> None:
        self._at = at
        self._size_bytes = size_bytes
        self._open = b""  # the beginning of a number
        self._read_bytes = 0
        self._missing: int | None = None  # numbers still to come; None before their count
        self._is_length = False
        self._region_bytes = 0
        self._region_blocks = 0

    @property
    def is_whole(self) -> bool:
        """Every number of it has been read."""
        return self._missing == 0

    def feed(self, data: bytes) -> int:
        """
        Take in the next bytes of the data; returns how many numbers ended in them.

        Raises:
            NotATar: the map is malformed, or does not match the size.
        """
        *numbers, rest = (self._open + data).split(b"\n")
        self._open = rest
        for text in numbers:
            self._read_bytes += len(text) + 1
            self._take(text)
            if self.is_whole:
                self._check()
                return len(numbers)
        if len(rest) > _LONGEST:
            raise self._malformed()
        return len(numbers)

    def finish(self) -> None:
        """
        End the data.

        Raises:
            NotATar: the map is incomplete.
        """
        if not self.is_whole:
            raise self._malformed()

    def _take(self, text: bytes) -> None:
        if not text.isdigit() or len(text) > _LONGEST or int(text) > _LARGEST:
            raise self._malformed()
        number = int(text)
        if self._missing is None:
            self._missing = 2 * number
            return
        self._missing -= 1
        if self._is_length:
            self._region_bytes += number
            self._region_blocks += -(-number // BLOCK_BYTES)
        self._is_length = not self._is_length

    def _check(self) -> None:
        data_bytes = self._size_bytes - -(-self._read_bytes // BLOCK_BYTES) * BLOCK_BYTES
        left = data_bytes - self._region_bytes
        if left < 0 or self._region_blocks + -(-left // BLOCK_BYTES) != -(-data_bytes // BLOCK_BYTES):
            raise NotATar(self._at, "the map of a sparse file does not match its size")

    def _malformed(self) -> NotATar:
        return NotATar(self._at, "the map of a sparse file is malformed")
