"""
A look through dumpdirs while they pass by: does any of them list a name that is unchanged, and so in another archive?

Nothing is held. A dumpdir is records of a letter, a name and a NUL; an empty one ends it.
"""

from __future__ import annotations

_UNCHANGED = 78  # N


class ListingScan:
    """Looks through the dumpdirs of a tar, passing by, for a name that is unchanged; *found* tells of all together."""

    def __init__(self) -> None:
        self.found = False
        self._left = 0  # bytes of the dumpdir to come
        self._at_record = True

    def begin(self, size: int) -> None:
        """Begin a dumpdir of *size* bytes."""
        self._left = size
        self._at_record = True

    def feed(self, data: bytes) -> None:
        """Look at the next bytes; those beyond its size are not of it."""
        if self.found or not self._left or not data:
            return
        data = data[: self._left]
        self._left -= len(data)
        if self._at_record and data[0] in (0, _UNCHANGED):
            self.found = data[0] == _UNCHANGED
            self._left = 0
            return
        end = data.find(b"\0\0")
        if end >= 0:
            self._left = 0
        self.found = data.find(b"\0N", 0, end + 1 if end >= 0 else len(data)) >= 0
        self._at_record = data[-1] == 0
