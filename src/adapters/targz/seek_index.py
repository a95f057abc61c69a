"""
Seek indexes: positions in a gzip file where inflating can begin, so that its end is reached without its beginning.

::

    window, window, ...   each zlib-compressed: the 32 KiB before a position in the middle of a gzip member
    table                 one entry per place, see `SeekPoint`
    footer                SHA-256 of the archive, inflated bytes, number of entries, CRC-32 of all of these, magic

The rule: an index is a cache. It is made from bytes that passed every check of their gzip, it names its archive, and a
torn, damaged or foreign index counts as missing. What is inflated by it is checked against the CRC-32 of the stretch
from one place to the next, so neither a wrong index nor a damaged archive gives wrong bytes silently.

If the gzip members of a file are short, their beginnings are the places, and no windows are needed. Otherwise zran, as
part of the library indexed_gzip, finds the boundaries of deflate blocks. It is only given sound files, and none with so
many members that its memory, some hundred bytes for each, would matter.
"""

from __future__ import annotations

import io
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from operator import attrgetter
from typing import BinaryIO, Protocol

from attrs import evolve, field, frozen

from .deflate import FASTEST, InflateEngine
from .gzip_stream import GzipStream

SPACING_BYTES = 4 << 20
"""Inflated bytes from one place to the next, at least: some 6 ms of work, for 12 KB of index."""

MAX_POINTS = 1024
"""Places are further apart in archives that would have more, so that the largest index has some 20 MB."""

WINDOW_BYTES = 32 << 10
_MAGIC = b"tkseek01"
_ENTRY = struct.Struct("<QQIQI")
_FOOTER = struct.Struct("<32sQII8s")
_MAX_MEMBERS_FOR_ZRAN = 10_000
_GZIDX_HEADER = struct.Struct("<5sBBQQIII")
_GZIDX_POINT = struct.Struct("<QQBB")


class IndexUnusable(Exception):
    """The file is not an index of this archive, or is damaged."""


@frozen
class SeekPoint:
    """
    A place where inflating can begin. *bit* counts bits of the file, lowest of each byte first; *at* is the position
    in the inflated bytes; *crc* is the CRC-32 of these up to the next place.

    Without a window, a gzip member begins there with its header; with one, a deflate block inside a member.
    """

    bit: int
    at: int
    crc: int = 0
    window_at: int = 0  # position in the index
    window_bytes: int = 0


@frozen
class SeekIndex:
    """The places of one archive, in order, the first at its beginning; with access to the windows."""

    points: tuple[SeekPoint, ...]
    unpacked_bytes: int
    _file: BinaryIO = field(repr=False)

    @classmethod
    def read(cls, file: BinaryIO, sha256: str) -> SeekIndex:
        """
        The index in *file*, of the archive with that digest. *file* stays open for the windows.

        Raises:
            IndexUnusable: it is not an index, is not whole, or is of another archive.
        """
        try:
            size = file.seek(0, io.SEEK_END)
        except OSError as error:
            raise IndexUnusable from error
        footer = _read_at(file, max(0, size - _FOOTER.size), _FOOTER.size)
        digest, unpacked_bytes, count, crc, magic = _FOOTER.unpack(footer)
        table_at = size - _FOOTER.size - count * _ENTRY.size
        if magic != _MAGIC or digest.hex() != sha256 or table_at < 0 or not count:
            raise IndexUnusable
        table = _read_at(file, table_at, count * _ENTRY.size)
        if _crc_of(table, footer) != crc:
            raise IndexUnusable
        return cls(tuple(SeekPoint(*entry) for entry in _ENTRY.iter_unpack(table)), unpacked_bytes, file)

    def place_before(self, position: int) -> int:
        """The number of the last place at or before *position* of the inflated bytes."""
        return max(0, bisect_right(self.points, position, key=attrgetter("at")) - 1)

    def end_of(self, place: int) -> int:
        """The position in the inflated bytes where the stretch that begins at that place ends."""
        return self.points[place + 1].at if place + 1 < len(self.points) else self.unpacked_bytes

    def window(self, point: SeekPoint) -> bytes:
        """
        The inflated bytes before *point*, as many as a block may refer back to.

        Raises:
            IndexUnusable: they are damaged.
        """
        try:
            return zlib.decompress(_read_at(self._file, point.window_at, point.window_bytes))
        except zlib.error as error:
            raise IndexUnusable from error


class SeekIndexes(Protocol):
    """Storage of indexes, by the SHA-256 of their archive. A lost index is made again."""

    def open(self, sha256: str) -> BinaryIO | None:
        """The index of that archive, to be closed by the caller; None if the archive has no index."""

    def create(self, sha256: str) -> AbstractContextManager[BinaryIO]:
        """What is written in the context becomes the index of that archive if it is left without an error."""

    def remove(self, sha256: str) -> None:
        """Delete the index of that archive; a missing one is no error."""


class ReadFrom(Protocol):
    """Gives the bytes of one file from a position on, in blocks."""

    def __call__(self, start: int, /) -> Iterator[bytes]: ...


def write_index(
    read_from: ReadFrom,
    size_bytes: int,
    sha256: str,
    target: BinaryIO,
    *,
    engine: InflateEngine = FASTEST,
    spacing_bytes: int = SPACING_BYTES,
) -> None:
    """
    Write the index of the file of *size_bytes* that *read_from* reads into *target*, which is empty.

    Reads the file twice, or three times if gzip members are long. Memory: 32 KiB for each place, in the latter case.

    Raises:
        NotAGzip, GzipDamaged: the file is not sound; errors that *read_from* raises pass through.
        IndexUnusable: zran disagrees about the file.
    """
    stream = GzipStream(engine)
    points, unpacked_bytes = _member_starts(stream, read_from(0), spacing_bytes)
    spacing = max(spacing_bytes, -(-unpacked_bytes // MAX_POINTS))
    points = _apart(points, spacing)
    if _widest(points, unpacked_bytes) > 2 * spacing and stream.whole_members <= _MAX_MEMBERS_FOR_ZRAN:
        blocks = [point for point in _blocks(read_from, size_bytes, spacing) if point.at < unpacked_bytes]
        points = _apart([*points, *blocks], spacing)
    pieces = through(GzipStream(engine), read_from(0))
    _write(points, unpacked_bytes, pieces, bytes.fromhex(sha256), target)


def through(stream: GzipStream, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes that *blocks* inflate to by *stream*, to the very end, with the check that nothing is missing."""
    for block in blocks:
        yield from stream.inflate(memoryview(block))
    stream.finish()


def _member_starts(stream: GzipStream, blocks: Iterable[bytes], spacing: int) -> tuple[list[SeekPoint], int]:
    """The beginnings of gzip members, at least *spacing* apart, and the inflated bytes of the file, which is whole."""
    points = [SeekPoint(bit=0, at=0)]
    position = member_at = 0
    for piece in through(stream, blocks):
        # A piece comes from one member only, so a new member begins with a new piece.
        if stream.member_at != member_at and position - points[-1].at >= spacing:
            points.append(SeekPoint(bit=stream.member_at * 8, at=position))
        member_at = stream.member_at
        position += len(piece)
    return points, position


def _apart(points: Iterable[SeekPoint], spacing: int) -> list[SeekPoint]:
    """Those of *points* that are about *spacing* from the one before."""
    kept: list[SeekPoint] = []
    for point in sorted(points, key=attrgetter("at")):
        if not kept or point.at - kept[-1].at >= spacing // 2:
            kept.append(point)
    return kept


def _widest(points: list[SeekPoint], unpacked_bytes: int) -> int:
    ends = [*(point.at for point in points[1:]), unpacked_bytes]
    return max(end - point.at for point, end in zip(points, ends, strict=True))


def _write(
    points: list[SeekPoint], unpacked_bytes: int, pieces: Iterator[bytes], digest: bytes, target: BinaryIO
) -> None:
    ends = iter([*points[1:], None])
    following = next(ends)
    entries = []
    point, position, crc, tail, written = points[0], 0, 0, b"", 0
    for piece in pieces:
        begin = 0
        while begin < len(piece):
            end = following.at if following else unpacked_bytes
            part = piece[begin : begin + end - position]
            if not part:
                raise IndexUnusable  # the file has changed since
            begin += len(part)
            position += len(part)
            crc = zlib.crc32(part, crc)
            tail = (tail + part[-WINDOW_BYTES:])[-WINDOW_BYTES:]
            if position == end:
                entries.append(evolve(point, crc=crc))
                if following is None:
                    continue
                point, following, crc = following, next(ends), 0
                if point.window_bytes:
                    window = zlib.compress(tail, 1)
                    point = evolve(point, window_at=written, window_bytes=len(window))
                    written += target.write(window)
    if len(entries) != len(points):
        raise IndexUnusable
    table = b"".join(_ENTRY.pack(p.bit, p.at, p.crc, p.window_at, p.window_bytes) for p in entries)
    facts = digest, unpacked_bytes, len(entries)
    checksum = _crc_of(table, _FOOTER.pack(*facts, 0, _MAGIC))
    target.write(table + _FOOTER.pack(*facts, checksum, _MAGIC))


def _crc_of(table: bytes, footer: bytes) -> int:
    return zlib.crc32(footer[: -len(_MAGIC) - 4], zlib.crc32(table))


def _read_at(file: BinaryIO, position: int, count: int) -> bytes:
    try:
        file.seek(position)
        content = file.read(count)
    except OSError as error:
        raise IndexUnusable from error
    if len(content) != count:
        raise IndexUnusable
    return content


# -- zran ------------------------------------------------------------------------------------------------------------


def _blocks(read_from: ReadFrom, size_bytes: int, spacing: int) -> list[SeekPoint]:
    """Boundaries of deflate blocks about *spacing* apart; *window_bytes* only says that they need a window."""
    # Imported on demand, since many servers are never asked to look inside archives: it takes 4 MB.
    from indexed_gzip import IndexedGzipFile

    head = _Head()
    with _Seekable(read_from, size_bytes) as file:
        # The CRCs have just been checked. Its default read buffer would be four times the spacing.
        try:
            zran = IndexedGzipFile(fileobj=file, spacing=spacing, skip_crc_check=True, buffer_size=4096)
            zran.build_full_index()
            zran.export_index(fileobj=head)
        except OSError as error:  # raised by the library; those of *read_from* pass through
            raise IndexUnusable from error
    content = bytes(head.content)
    magic, version, _, _, _, _, _, count = _GZIDX_HEADER.unpack_from(content)
    if magic != b"GZIDX" or version != 1 or len(content) < _GZIDX_HEADER.size + count * _GZIDX_POINT.size:
        raise IndexUnusable
    points = _GZIDX_POINT.iter_unpack(content[_GZIDX_HEADER.size :][: count * _GZIDX_POINT.size])
    return [SeekPoint(at_byte * 8 - bits, at, window_bytes=1) for at_byte, at, bits, has_window in points if has_window]


class _Head(io.RawIOBase):
    """Takes in an exported index and keeps its list of places, which comes first; drops the windows."""

    mode = "wb"  # the library checks it

    def __init__(self) -> None:
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, block: bytes) -> int:  # type: ignore[override]  # any buffer is accepted, bytes is what comes
        if len(block) < WINDOW_BYTES:
            self.content += block
        return len(block)


class _Seekable(io.RawIOBase):
    """The bytes that *read_from* gives, as a seekable file for a library that needs one."""

    def __init__(self, read_from: ReadFrom, size_bytes: int) -> None:
        self._read_from = read_from
        self._size_bytes = size_bytes
        self._position = 0
        self._blocks: Iterator[bytes] | None = None
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size_bytes}[whence]
        if base + offset != self._position:
            self._position = base + offset
            self._blocks, self._rest = None, memoryview(b"")
        return self._position

    def readinto(self, target: memoryview) -> int:  # type: ignore[override]  # RawIOBase passes a memoryview
        if self._blocks is None:
            self._blocks = self._read_from(self._position)
        if not self._rest:
            self._rest = memoryview(next(self._blocks, b""))
        part, self._rest = self._rest[: len(target)], self._rest[len(target) :]
        target[: len(part)] = part
        self._position += len(part)
        return len(part)
