"""
Many byte strings in one buffer: nine bytes for each beside its own, where an object for each would take fifty.

The buffer may be memory or a mapped file; only the parts that are asked for are read.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Protocol

from attrs import frozen


class Buffer(Protocol):
    """Bytes in memory, or in a file that reads them on demand."""

    def __getitem__(self, place: slice, /) -> bytes | bytearray: ...


@frozen(eq=False)
class Texts:
    """
    Strings without a NUL, each followed by a NUL in *text*.

    *starts* says where each begins, and in one more entry where the last one ends.
    """

    text: Buffer
    starts: Sequence[int]

    @classmethod
    def of(cls, strings: Iterable[bytes]) -> Texts:
        """*strings*, in their order."""
        packed = PackedTexts()
        packed.extend(list(strings))
        return packed.texts()

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> bytes:
        return bytes(self.text[self.starts[number] : self.starts[number + 1] - 1])

    def __iter__(self) -> Iterator[bytes]:
        for begin in range(0, len(self), _AT_ONCE):
            yield from self.some(begin, min(begin + _AT_ONCE, len(self)))

    def some(self, start: int, stop: int) -> list[bytes]:
        """The strings from number *start* to *stop*."""
        return self.packed(start, stop).split(b"\0")[:-1] if start < stop else []

    def packed(self, start: int, stop: int) -> bytes:
        """The same strings as they stand in the buffer, each with its NUL."""
        return bytes(self.text[self.starts[start] : self.starts[stop]])

    def place(self, string: bytes, start: int = 0, stop: int | None = None) -> int:
        """Where *string* stands, or would stand, among those from *start* to *stop*, which ascend."""
        return bisect_left(range(len(self)), string, start, len(self) if stop is None else stop, key=self.__getitem__)

    def find(self, string: bytes, start: int = 0, stop: int | None = None) -> int | None:
        """The number of the first *string* among those from *start* to *stop*, which ascend; None if not found."""
        stop = len(self) if stop is None else stop
        number = self.place(string, start, stop)
        return number if number < stop and self[number] == string else None


class PackedTexts:
    """Collects strings for `Texts`."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._starts = array("Q", (0,))

    def __len__(self) -> int:
        return len(self._starts) - 1

    def append(self, string: bytes) -> None:
        self._text += string
        self._text.append(0)
        self._starts.append(len(self._text))

    def extend(self, strings: Sequence[bytes]) -> None:
        if strings:
            self.extend_packed(b"\0".join(strings) + b"\0", strings)

    def extend_packed(self, packed: bytes, strings: Sequence[bytes]) -> None:
        """Append *strings*, which *packed* holds as `Texts.packed` gives them."""
        ends = accumulate([len(string) + 1 for string in strings], initial=self._starts.pop())
        self._starts.extend(ends)
        self._text += packed

    def texts(self) -> Texts:
        return Texts(self._text, self._starts)


_AT_ONCE = 4096
