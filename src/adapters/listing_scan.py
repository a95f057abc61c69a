"""
A look through dumpdirs while they pass by: does any of them list a name that is unchanged, and so in another archive?

Nothing is held. A dumpdir is records of a letter, a name and a NUL; an empty one ends it. Whoever reads a listing holds
all of it, so what is listed is bounded here, in number and in the length of a name.
"""

from __future__ import annotations

from ..domain.errors import ExpandsTooFar

_UNCHANGED = 78  # N


class ListingScan:
    """
    Looks through the dumpdirs of a tar, passing by, for a name that is unchanged; *found* tells of all together.

    All of them may have *max_names* names, each of at most *max_name_bytes*.
    """

    def __init__(self, max_names: int, max_name_bytes: int) -> None:
        self.found = False
        self._max_names = max_names
        self._max_name_bytes = max_name_bytes
        self._names = 0
        self._left = 0  # bytes of the dumpdir to come
        self._open = 0  # bytes of the record on its way

    def begin(self, size: int) -> None:
        """Begin a dumpdir of *size* bytes."""
        self._left = size
        self._open = 0

    def feed(self, data: bytes) -> None:
        """
        Look at the next bytes; those beyond its size are not of it.

        Raises:
            ExpandsTooFar: more names, or a longer one, than the limits.
        """
        if not self._left or not data:
            return
        data = data[: self._left]
        self._left -= len(data)
        if not self._open and data[0] in (0, _UNCHANGED):
            self.found = self.found or data[0] == _UNCHANGED
            if not data[0]:
                self._left = 0
                return
        end = data.find(b"\0\0")
        if end >= 0:
            self._left = 0
            data = data[: end + 1]
        self.found = self.found or data.find(b"\0N") >= 0
        self._names += data.count(b"\0")
        if self._names > self._max_names:
            raise ExpandsTooFar("max_members", self._max_names)
        self._measure(data)

    def _measure(self, data: bytes) -> None:
        """Find a record that is too long, in few steps: from NUL to the last one that is near enough."""
        longest = self._max_name_bytes + 1  # with its letter
        position, stop = 0, len(data)
        while self._open + stop - position > longest:
            nul = data.rfind(b"\0", position, position + longest - self._open + 1)
            if nul < 0:
                raise ExpandsTooFar("max_name_bytes", self._max_name_bytes)
            position, self._open = nul + 1, 0
        last = data.rfind(b"\0", position)
        self._open = stop - last - 1 if last >= 0 else self._open + stop - position
