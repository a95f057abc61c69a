"""
A scan of dumpdirs as they pass: how many names do they list, and how many of these are unchanged and so in another
archive?

Nothing is held in memory. A dumpdir consists of records of a letter, a name and a NUL; an empty one ends it. A reader
of a listing holds all of it, so its names are bounded here in number and length. Renames that tar could not carry out
are refused here, since an archive with them could be stored and never be restored.
"""

from __future__ import annotations

from ...domain.errors.content import ExpandsTooFar, NotATar
from ...domain.tar.rename_records import RenameRecords

_HERE, _UNCHANGED = b"YN"
_OF_RENAMES = frozenset((b"R", b"T", b"X"))


class DumpdirScan:
    """
    Scans the dumpdirs of a tar as they pass: all of them together list *here* files that are in the archive, and
    *unchanged* ones that are not.

    All of them together may have *max_names* names, each of at most *max_name_bytes*.
    """

    def __init__(self, max_names: int, max_name_bytes: int) -> None:
        self.here = 0
        self.unchanged = 0
        self._max_names = max_names
        self._max_name_bytes = max_name_bytes
        self._names = 0
        self._left = 0  # bytes of the dumpdir still to come
        self._open = 0  # bytes of the unfinished record
        self._begun = b""  # its first two
        self._renames: RenameRecords | None = None  # of a dumpdir that has any
        self._at = 0

    def begin(self, size: int, at: int) -> None:
        """Begin a dumpdir of *size* bytes, of the member whose headers begin at *at*."""
        self._left = size
        self._open = 0
        self._begun = b""
        self._renames = None
        self._at = at

    def feed(self, data: bytes) -> None:
        """
        Scan the next bytes; those beyond its size are not part of it.

        Raises:
            ExpandsTooFar: more names, or a longer one, than the limits.
            NotATar: its renames are not in pairs, or use a temporary name that was not announced.
        """
        if not self._left or not data:
            return
        data = data[: self._left]
        self._left -= len(data)
        if not self._open:
            self.here += data[0] == _HERE
            self.unchanged += data[0] == _UNCHANGED
            if not data[0]:
                self._left = 0
                self._follow(b"")
                return
        end = data.find(b"\0\0")
        if end >= 0:
            self._left = 0
            data = data[: end + 1]
        self.here += data.count(b"\0Y")
        self.unchanged += data.count(b"\0N")
        self._names += data.count(b"\0")
        if self._names > self._max_names:
            raise ExpandsTooFar("max_members", self._max_names)
        self._measure(data)
        self._follow(data)

    def _follow(self, data: bytes) -> None:
        """Check the order of the renames, from the first one in a dumpdir on."""
        if self._begun:
            data = self._begun + data
        if self._renames is None:
            if not (data[:1] in _OF_RENAMES or b"\0R" in data or b"\0T" in data or b"\0X" in data):
                self._begun = data[data.rfind(b"\0") + 1 :][:2] if self._left else b""
                return
            self._renames = RenameRecords()
        *records, begun = data.split(b"\0")
        self._begun = begun[:2]
        try:
            for record in records:
                self._renames.take(record[:1], len(record) > 1)
            if not self._left:
                if self._begun:  # only the end of the dumpdir ends it
                    self._renames.take(self._begun[:1], len(self._begun) > 1)
                self._renames.end()
        except ValueError as error:
            raise NotATar(self._at, f"a directory's listing has {error}") from error

    def _measure(self, data: bytes) -> None:
        """Find a record that is too long, in few steps: from one NUL to the last NUL within the limit."""
        longest = self._max_name_bytes + 1  # with its letter
        position, stop = 0, len(data)
        while self._open + stop - position > longest:
            nul = data.rfind(b"\0", position, position + longest - self._open + 1)
            if nul < 0:
                raise ExpandsTooFar("max_name_bytes", self._max_name_bytes)
            position, self._open = nul + 1, 0
        last = data.rfind(b"\0", position)
        self._open = stop - last - 1 if last >= 0 else self._open + stop - position
