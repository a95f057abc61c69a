"""
Parses the records of a pax header as they pass, piece by piece, for what matters to a walk over a tar.

Pure, like the walk. It is as strict as a restoring reader must be: wrong lengths, newlines and sizes are errors,
because another reader would see another tar; a time that cannot be parsed does no harm.
"""

from __future__ import annotations

import re

from attrs import define

from ...domain.errors.content import ExpandsTooFar, NotATar
from .dumpdir_scan import DumpdirScan

LARGEST_SIZE = (1 << 63) - 1

_PAX_TIME = re.compile(rb"(-?[0-9]{1,18})(?:\.([0-9]*))?", re.ASCII)
_NEWLINE = 10
_LONGEST_LENGTH = 21  # of the length field of a pax record, with its space
_LONGEST_KEYWORD = 1025  # with its space and equals sign
_SHORT_RECORD_BYTES = 1024  # held until complete; records whose value the walk needs are always shorter
_SPARSE_NAME = b"GNU.sparse.name"
ONE_VOLUME = (
    "it goes on with a file of another volume, and restores only together with that; make it without --multi-volume"
)
_GOES_ON_FROM = b"GNU.volume.offset"
_NAMES = frozenset((b"path", _SPARSE_NAME))  # held until complete, being no longer than max_name_bytes
_SPARSE_MAJOR = b"GNU.sparse.major"
_KEYWORDS = frozenset(
    (b"size", b"mtime", b"path", b"linkpath", b"uname", b"gname", _SPARSE_NAME, _SPARSE_MAJOR, b"GNU.dumpdir")
)
_OF_NO_MEMBER = frozenset((b"comment", b"charset", b"hdrcharset"))  # in a global header, like all of GNU.volume


@define
class Overrides:
    """The values of a pax header for its member, as far as they matter here."""

    size: int | None = None
    mtime: int | None = None
    name: bytes | None = None
    sparse_name: bytes | None = None
    has_dumpdir: bool = False
    has_sparse_map: bool = False  # in front of its data


class PaxHeader:
    """
    The records of one pax header, passing by: ``length keyword=value newline``, where length counts all of it.

    Only short records and names are held until they are complete, so a dumpdir of a huge directory costs no memory.
    *at* is the position of the header in the tar, for errors. *matters* is true if it says something about members.
    Names may have *max_name_bytes*, and the header *max_records*, because a reader of the member holds them all.
    """

    def __init__(
        self,
        at: int,
        size: int,
        max_name_bytes: int,
        max_records: int,
        listings: DumpdirScan,
        *,
        is_global: bool,
    ) -> None:
        self.overrides = Overrides()
        self.is_global = is_global
        self.matters = False
        self.missing_bytes = size
        self._at = at
        self._max_name_bytes = max_name_bytes
        self._max_records = max_records
        self._records = 0
        self._listings = listings
        self._held = bytearray()  # the beginning of a record
        self._wanted_bytes = 0  # how much of it to hold before parsing again
        self._in_listing = False
        self._open = 0  # missing bytes of a record too long to be held
        self._over = False  # a NUL came where a record should begin: the rest is padding

    def feed(self, data: bytes) -> int:
        """Take in the next bytes, at most *missing_bytes*; return the number of records that ended or began in them."""
        self.missing_bytes -= len(data)
        if self._over:
            return 0
        position = records = 0
        if self._open:
            position = min(self._open, len(data))
            self._open -= position
            if self._in_listing:
                self._listings.feed(data[:position])
            if not self._open and position and data[position - 1] != _NEWLINE:
                raise self._malformed("a record does not end in a newline")
        elif self._held:
            self._held += data
            if len(self._held) < self._wanted_bytes:
                return 0
            data = bytes(self._held)
            self._held.clear()
        stop = len(data)
        while position < stop:
            space = data.find(b" ", position, position + _LONGEST_LENGTH)
            digits = data[position : space if space >= 0 else stop]
            if space < 0 and stop - position < _LONGEST_LENGTH and data[position]:
                self._hold(digits, len(digits) + 1)
                break
            if not digits.isdigit():
                if not data[position]:
                    self._over = True
                    break
                raise self._malformed("a record without a length")
            length = int(digits)
            end = position + length
            if end > stop + self.missing_bytes:
                raise self._malformed("a record is longer than its header")
            if end > stop and length <= _SHORT_RECORD_BYTES:
                self._hold(data[position:], length)
                break
            equals = data.find(b"=", space, min(end, space + _LONGEST_KEYWORD))
            if equals < 0:
                if end > stop and stop < space + _LONGEST_KEYWORD:
                    self._hold(data[position:], stop - position + 1)
                    break
                raise self._malformed("a record without a keyword")
            keyword = data[space + 1 : equals].lstrip(b" \t")  # GNU tar skips any number of blanks
            if b"\0" in keyword:
                raise self._malformed("a keyword that other readers see the end of earlier")
            if end > stop and keyword in _NAMES and end - equals - 2 <= self._max_name_bytes:
                self._hold(data[position:], length)
                break
            records += 1
            if end > stop:
                self._open = end - stop
                self._in_listing = keyword == b"GNU.dumpdir" and not self.is_global
            elif data[end - 1] != _NEWLINE:
                raise self._malformed("a record does not end in a newline")
            if keyword == _GOES_ON_FROM:
                raise NotATar(self._at, ONE_VOLUME)
            if keyword in _KEYWORDS:
                self._note(keyword, end - equals - 2, data[equals + 1 : end - 1])
            if self.is_global and keyword not in _OF_NO_MEMBER and not keyword.startswith(b"GNU.volume."):
                self.matters = True
            position = end
        self._records += records
        if self._records > self._max_records:
            raise ExpandsTooFar("max_pax_records", self._max_records)
        return records

    def _hold(self, beginning: bytes, wanted_bytes: int) -> None:
        self._held += beginning
        self._wanted_bytes = wanted_bytes

    def close(self) -> None:
        """End the input."""
        if self._held:
            raise self._malformed("a record is cut")

    def _note(self, keyword: bytes, length: int, value: bytes) -> None:
        """Keep what the walk needs; for a record too long to be held, *value* is only the beginning."""
        if keyword == b"mtime":
            # Informative, so an unreadable one does no harm; tarfile writes small ones like 1e-05.
            match = _PAX_TIME.fullmatch(value) if length == len(value) <= 64 else None
            if match is not None:
                floor = match[1].startswith(b"-") and (match[2] or b"").strip(b"0")
                self.overrides.mtime = int(match[1]) - (1 if floor else 0)
        elif keyword == b"size":
            if self.is_global:
                raise self._malformed("a global header sets the size of members")
            if not value.isdigit() or length > 20 or int(value) > LARGEST_SIZE:
                raise self._malformed("an impossible size")
            self.overrides.size = int(value)
        elif keyword == b"GNU.dumpdir":
            self.overrides.has_dumpdir = True
            if not self.is_global:
                self._listings.begin(length, self._at)
                self._listings.feed(value)
        elif length > self._max_name_bytes:
            raise ExpandsTooFar("max_name_bytes", self._max_name_bytes)
        elif keyword == _SPARSE_MAJOR:
            self.overrides.has_sparse_map = bool(value.strip(b"0"))
        elif keyword == b"path":
            self.overrides.name = value.partition(b"\0")[0]
        elif keyword == _SPARSE_NAME:
            self.overrides.sparse_name = value.partition(b"\0")[0]

    def _malformed(self, reason: str) -> NotATar:
        return NotATar(self._at, f"malformed pax header: {reason}")
