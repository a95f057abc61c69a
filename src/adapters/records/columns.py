"""
Columns in a file: numbers of fixed width and bytes, read on demand and checked before use.

A file is written from beginning to end: the columns in sequence, then the CRC-32 of each of their 64 KiB pieces, then a
table in JSON with the position of each column, then a footer with the CRC-32 of these two. So opening reads a few
kilobytes, and a column is checked piece by piece as it is read.

Pieces are read, not mapped into memory: with a mapped file, a bad sector or a truncation by another process would end
this process.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from struct import Struct
from typing import overload

from ...domain.errors.archives import RecordsMissing
from ...domain.names.packed_texts import Texts
from .kept_columns import Head, KeptColumns

try:
    from isal import isal_zlib
except ImportError:  # a platform it has no wheel for
    isal_zlib = None  # type: ignore[assignment]

compress: Callable[[bytes, int], bytes] = isal_zlib.compress if isal_zlib else zlib.compress
decompress: Callable[[bytes], bytes] = isal_zlib.decompress if isal_zlib else zlib.decompress
crc32: Callable[[bytes | memoryview, int], int] = isal_zlib.crc32 if isal_zlib else zlib.crc32

PIECE_BYTES = 64 << 10
_FOOTER = Struct("<IIIQ8s")  # CRC-32, bytes of the CRCs, bytes of the table, bytes before these, magic
_BYTES = "B"
_SIGNED = {"i": "q", "I": "Q"}
_AT_ONCE = 1 << 16  # numbers written together


class ColumnsWriter:
    """Writes columns by *append*, which takes bytes and returns their position in the file."""

    def __init__(self, append: Callable[[bytes], None]) -> None:
        self._append_to_file = append
        self._at = 0
        self._crcs = array("I")
        self._table: dict[str, list[object]] = {}

    @property
    def at(self) -> int:
        """Bytes written so far."""
        return self._at

    def append(self, content: bytes) -> int:
        """Write something that is not a column; returns its position."""
        at = self._at
        self._append_to_file(content)
        self._at += len(content)
        return at

    def add_bytes(self, name: str, content: Iterable[bytes | bytearray | memoryview]) -> None:
        """Write a column of bytes, given in parts."""
        self._begin(name, _BYTES)
        held = bytearray()
        for part in content:
            held += part
            while len(held) >= PIECE_BYTES:
                self._piece(bytes(held[:PIECE_BYTES]))
                del held[:PIECE_BYTES]
        if held:
            self._piece(bytes(held))
        self._end(name)

    def add_texts(self, name: str, texts: Texts) -> None:
        """Write two columns: strings, and their positions."""
        self.add_bytes(name, [texts.text[:]])
        self.add_numbers(f"{name}.starts", texts.starts)

    def add_numbers(self, name: str, numbers: Sequence[int], *, signed: bool = False) -> None:
        """Write a column of numbers, of the smallest width that holds them."""
        typecode = "i" if signed else "I"
        low, high = (min(numbers), max(numbers)) if len(numbers) else (0, 0)
        if high >> (31 if signed else 32) or (low < 0 and -low >> 31):
            typecode = _SIGNED[typecode]
        self._begin(name, typecode)
        rest = iter(numbers)
        while some := array(typecode, islice(rest, _AT_ONCE)):
            if sys.byteorder == "big":
                some.byteswap()
            content = some.tobytes()
            for at in range(0, len(content), PIECE_BYTES):
                self._piece(content[at : at + PIECE_BYTES])
        self._end(name)

    def finish(self, magic: bytes, about: dict[str, object]) -> None:
        """Write the table, with *about* added to the columns, and the footer."""
        before = self._at
        crcs = self._crcs
        if sys.byteorder == "big":
            crcs.byteswap()
        content, table = crcs.tobytes(), json.dumps({"about": about, "columns": self._table}).encode()
        crc = crc32(table, crc32(content, 0))
        self.append(content)
        self.append(table)
        self.append(_FOOTER.pack(crc, len(content), len(table), before, magic))

    def _begin(self, name: str, typecode: str) -> None:
        self._table[name] = [typecode, self._at, 0, len(self._crcs)]

    def _piece(self, content: bytes) -> None:
        self._crcs.append(crc32(content, 0))
        self.append(content)

    def _end(self, name: str) -> None:
        begin = self._table[name][1]
        assert isinstance(begin, int)
        self._table[name][2] = self._at - begin
        if self._at == begin:
            del self._table[name]


class ColumnsFile:
    """
    A file of columns that is open for reading; closed when it is no longer referenced.

    Raises:
        RecordsMissing: with *sha256*, if the file is missing, not a file of columns, or not whole; so do columns when
            they are read.
    """

    def __init__(self, place: Path, magic: bytes, sha256: str, kept: KeptColumns) -> None:
        self._sha256 = sha256
        self._kept = kept
        try:
            # Do not block on a pipe placed here, and do not follow a link.
            self._descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            self._open(magic)
        except OSError as error:
            raise RecordsMissing(sha256) from error

    def _open(self, magic: bytes) -> None:
        found = os.fstat(self._descriptor)
        identity = (found.st_ino, found.st_size, found.st_mtime_ns)
        self._head = self._kept.head(self._sha256, identity, lambda: self._read_head(magic, identity))
        self.stamp = self._head.stamp
        self.about = self._head.about

    def _read_head(self, magic: bytes, identity: tuple[int, int, int]) -> Head:
        _, size, _ = identity
        tail = self._read(min(size, PIECE_BYTES), max(0, size - PIECE_BYTES)) if size >= _FOOTER.size else b""
        if len(tail) < _FOOTER.size:
            raise RecordsMissing(self._sha256)
        crc, crcs_bytes, table_bytes, before, found = _FOOTER.unpack(tail[-_FOOTER.size :])
        if found != magic or before + crcs_bytes + table_bytes + _FOOTER.size != size:
            raise RecordsMissing(self._sha256)
        if before < size - len(tail):
            tail = self._read(size - before, before)
        end = len(tail) - _FOOTER.size
        crcs, table = tail[end - table_bytes - crcs_bytes : end - table_bytes], tail[end - table_bytes : end]
        if crc32(table, crc32(crcs, 0)) != crc:
            raise RecordsMissing(self._sha256)
        pieces = array("I", crcs)
        if sys.byteorder == "big":
            pieces.byteswap()
        told = json.loads(table)
        return Head(identity, crc, pieces, told["about"], told["columns"], {})

    def numbers(self, name: str) -> Numbers:
        """A column of numbers; empty if no column has that name."""
        return Numbers(self, *self._head.table.get(name, ("I", 0, 0, 0)))

    def kept_numbers(self, name: str) -> array[int]:
        """The same, read as a whole: for a short column that is used again and again."""
        found = self._head.columns.get(name)
        if found is None:
            found = self._head.columns[name] = self.numbers(name)[:]
        return found

    def block(self, size_bytes: int, at: int, crc: int) -> bytes:
        """The original content of a block that was written compressed."""
        return self._kept.block(self._sha256, self.stamp, at, lambda: decompress(self.read(size_bytes, at, crc)))

    def text(self, name: str) -> Bytes:
        """A column of bytes; empty if no column has that name."""
        return Bytes(self, *self._head.table.get(name, (_BYTES, 0, 0, 0)))

    def texts(self, name: str) -> Texts:
        """A column of strings."""
        return Texts(self.text(name), self.numbers(f"{name}.starts"))

    def check(self) -> None:
        """Read every column."""
        for _, begin, column_bytes, first_crc in self._head.table.values():
            for number, at in enumerate(range(0, column_bytes, PIECE_BYTES)):
                self.piece(first_crc + number, min(PIECE_BYTES, column_bytes - at), begin + at)

    def read(self, size_bytes: int, at: int, crc: int) -> bytes:
        """Bytes of the file, checked against their known CRC-32."""
        try:
            content = self._read(size_bytes, at)
        except OSError as error:
            raise RecordsMissing(self._sha256) from error
        if len(content) != size_bytes or crc32(content, 0) != crc:
            raise RecordsMissing(self._sha256)
        return content

    def piece(self, number: int, size_bytes: int, at: int) -> bytes:
        return self.read(size_bytes, at, self._head.crcs[number])

    def _read(self, size_bytes: int, at: int) -> bytes:
        return os.pread(self._descriptor, size_bytes, at)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)


class _Column:
    """Common to both kinds of columns: the last two pieces that were read."""

    def __init__(self, file: ColumnsFile, typecode: str, at: int, size_bytes: int, first_crc: int) -> None:
        self._file = file
        self._typecode = typecode
        self._at = at
        self._size_bytes = size_bytes
        self._first_crc = first_crc
        self._last: tuple[int, Sequence[int]] = (-1, b"")
        self._one_before: tuple[int, Sequence[int]] = (-1, b"")

    def _piece(self, number: int) -> Sequence[int]:
        for known in (self._last, self._one_before):
            if known[0] == number:
                return known[1]
        at = number * PIECE_BYTES
        content = self._file.piece(self._first_crc + number, min(PIECE_BYTES, self._size_bytes - at), self._at + at)
        found = self._unpacked(content)
        self._one_before, self._last = self._last, (number, found)
        return found

    def _unpacked(self, content: bytes) -> Sequence[int]:
        return content


class Bytes(_Column, Sequence[int]):
    """A column of bytes, with the part of the interface of `bytes` that is needed."""

    def __len__(self) -> int:
        return self._size_bytes

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> bytes: ...
    def __getitem__(self, place: int | slice) -> int | bytes:
        if isinstance(place, int):
            return self._piece(place // PIECE_BYTES)[place % PIECE_BYTES]
        start, stop, _ = place.indices(self._size_bytes)
        first, begin = divmod(start, PIECE_BYTES)
        if stop <= first * PIECE_BYTES + PIECE_BYTES:
            return bytes(self._piece(first)[begin : begin + stop - start]) if start < stop else b""
        parts = [bytes(self._piece(number)) for number in range(first, -(-stop // PIECE_BYTES))]
        return b"".join(parts)[begin : begin + stop - start]


class Numbers(_Column, Sequence[int]):
    """A column of numbers, with the part of the interface of a sequence that is needed."""

    def __init__(self, file: ColumnsFile, typecode: str, at: int, size_bytes: int, first_crc: int) -> None:
        super().__init__(file, typecode, at, size_bytes, first_crc)
        self._width = array(typecode).itemsize
        self._in_a_piece = PIECE_BYTES // self._width
        self._count = size_bytes // self._width

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        for number in range(-(-self._count // self._in_a_piece)):
            yield from self._piece(number)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> array[int]: ...
    def __getitem__(self, place: int | slice) -> int | array[int]:
        if isinstance(place, int):
            number, within = divmod(place, self._in_a_piece)
            known = self._last
            return known[1][within] if known[0] == number else self._piece(number)[within]
        start, stop, _ = place.indices(self._count)
        found = array(self._typecode)
        while start < stop:
            number, within = divmod(start, self._in_a_piece)
            some = self._piece(number)[within : within + stop - start]
            assert isinstance(some, array)
            found += some
            start += len(some)
        return found

    def _unpacked(self, content: bytes) -> Sequence[int]:
        numbers = array(self._typecode, content)
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers
