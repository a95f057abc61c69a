"""
The records of one archive in their order of arrival: compressed blocks, in the order in which they were written.

Records of directories and all others are in separate blocks; then comes their index, then a footer with the CRC-32 of
everything before it, which is checked as a whole before anything is read.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from struct import Struct

from attrs import define, field, frozen

from ...domain.errors.archives import RecordsMissing
from ...domain.tar.members import MemberRecord
from .columns import compress, crc32, decompress
from .settled_records import RECORD, records_in

_LEVEL = 1
_BLOCK_BYTES = 1 << 20  # of records, before they are compressed
_READ_BYTES = 1 << 20
# of the index: the sort, the block's position, its compressed length, the place in the tar of its first record
_ENTRY = Struct("<BQIQ")
_FOOTER = Struct("<8sQ")  # magic, position of the index; followed by:
_CRC = Struct("<I")  # of all before it
_MAGIC = b"TKMEMB2\n"
_OTHERS, _DIRECTORIES = range(2)


@define
class _Pending:
    """Records of one sort that will become a block."""

    sort: int
    parts: list[bytes] = field(factory=list)
    size_bytes: int = 0
    first: int = 0


@define(eq=False)
class PassingWriter:
    """Writes records by *append*."""

    _append_to_file: Callable[[bytes], None]
    _directories: _Pending = field(factory=lambda: _Pending(_DIRECTORIES), init=False)
    _others: _Pending = field(factory=lambda: _Pending(_OTHERS), init=False)
    _index: list[bytes] = field(factory=list, init=False)
    _written_bytes: int = field(default=0, init=False)
    _crc: int = field(default=0, init=False)

    def write(self, records: Sequence[MemberRecord]) -> None:
        """Append *records*."""
        directories, others = self._directories, self._others
        for record in records:
            pending = directories if record.is_directory else others
            headers = record.headers
            if not pending.parts:
                pending.first = record.at
            pending.parts += (RECORD.pack(record.at, len(headers)), headers)
            pending.size_bytes += len(headers)
            if pending.size_bytes >= _BLOCK_BYTES:
                self._flush(pending)

    def finish(self) -> None:
        """Write what is pending, the index and the footer."""
        for pending in (self._directories, self._others):
            if pending.parts:
                self._flush(pending)
        end = b"".join((*self._index, _FOOTER.pack(_MAGIC, self._written_bytes)))
        self._append_to_file(end + _CRC.pack(crc32(end, self._crc)))

    def forget(self) -> None:
        """Drop pending records."""
        for pending in (self._directories, self._others):
            pending.parts.clear()
            pending.size_bytes = 0

    def _flush(self, pending: _Pending) -> None:
        block = compress(b"".join(pending.parts), _LEVEL)
        pending.parts.clear()
        pending.size_bytes = 0
        self._index.append(_ENTRY.pack(pending.sort, self._written_bytes, len(block), pending.first))
        self._append(block)

    def _append(self, content: bytes) -> None:
        self._crc = crc32(content, self._crc)
        self._written_bytes += len(content)
        self._append_to_file(content)


class PassingRecords:
    """
    The records in the file *place*.

    Raises:
        RecordsMissing: the file is missing, or is not, byte for byte, what was written.
    """

    def __init__(self, place: Path, sha256: str) -> None:
        self._sha256 = sha256
        try:
            self._file = _OpenFile(place)
            self._blocks = _checked_index(self._file)
        except (OSError, _Damaged) as error:
            raise RecordsMissing(sha256) from error

    def check(self) -> None:
        """Does nothing: opening has read and checked the whole file."""

    def read(self, *, directories_only: bool = False, start: int = 0) -> Iterator[MemberRecord]:
        """As `MemberRecords.read`."""
        directories = self._from(_DIRECTORIES, start)
        if directories_only:
            return directories
        return merge(directories, self._from(_OTHERS, start), key=attrgetter("at"))

    def at(self, positions: Sequence[int]) -> Iterator[MemberRecord]:
        """As `MemberRecords.at`."""
        return merge(*(self._at(sort, positions) for sort in (_DIRECTORIES, _OTHERS)), key=attrgetter("at"))

    def _of_sort(self, sort: int) -> list[_Block]:
        return [block for block in self._blocks if block.sort == sort]

    def _from(self, sort: int, start: int) -> Iterator[MemberRecord]:
        """The records of one sort from the position *start* on."""
        blocks = self._of_sort(sort)
        begin = max(0, bisect_right(blocks, start, key=attrgetter("first")) - 1)
        for block in blocks[begin:]:
            for record in records_in(self._content(block), is_directory=sort == _DIRECTORIES):
                if record.at >= start:
                    yield record

    def _at(self, sort: int, positions: Sequence[int]) -> Iterator[MemberRecord]:
        """The records of one sort at *positions*."""
        blocks = self._of_sort(sort)

        def number(position: int) -> int:
            return bisect_right(blocks, position, key=attrgetter("first")) - 1

        for index, group in groupby(positions, key=number):
            if index >= 0:
                yield from records_in(
                    self._content(blocks[index]), is_directory=sort == _DIRECTORIES, wanted=set(group)
                )

    def _content(self, block: _Block) -> bytes:
        try:
            content = self._file.read(block.size_bytes, block.at)
        except OSError as error:  # it could be read when it was opened
            raise RecordsMissing(self._sha256) from error
        return decompress(content)


class _OpenFile:
    """A file open for reading that closes when it is no longer referenced, as by an unfinished iterator."""

    def __init__(self, place: Path) -> None:
        # Do not block on a pipe placed here, and do not follow a link.
        self._descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        self.size_bytes = os.fstat(self._descriptor).st_size

    def read(self, size_bytes: int, at: int) -> bytes:
        return os.pread(self._descriptor, size_bytes, at)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)


class _Damaged(Exception):
    """The file is not one that was published."""


@frozen
class _Block:
    sort: int
    at: int
    size_bytes: int
    first: int


def _checked_index(file: _OpenFile) -> list[_Block]:
    """
    The blocks of *file*.

    Raises:
        _Damaged: it is not, byte for byte, what was written.
    """
    size = file.size_bytes - _CRC.size
    index_end = size - _FOOTER.size
    if index_end < 0:
        raise _Damaged
    magic, index_at = _FOOTER.unpack(file.read(_FOOTER.size, index_end))
    (expected,) = _CRC.unpack(file.read(_CRC.size, size))
    if magic != _MAGIC:
        raise _Damaged
    crc = position = 0
    while position < size:
        content = file.read(min(_READ_BYTES, size - position), position)
        if not content:
            raise _Damaged
        crc = crc32(content, crc)
        position += len(content)
    if crc != expected:
        raise _Damaged
    return [_Block(*entry) for entry in _ENTRY.iter_unpack(file.read(index_end - index_at, index_at))]
