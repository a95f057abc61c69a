"""
Records of members as files in the data directory, one for each archive, named by its SHA-256.

::

    DATA/members/ab/<sha256>          published; a digest that begins with ab
    DATA/members/ab/<sha256>.names    made of it when somebody first asks for names
    DATA/members/ab/<sha256>.fits     what comparing it with others showed, see `fit_files`
    DATA/members/ab/<sha256>.footprint    made of it when a plan is first judged
    DATA/members/<id>.part            on its way

A file is a row of compressed blocks, of directories' records, of others', or of names, then their index, then a footer
with the CRC-32 of all before it; ``docs/storage-format.md`` has the details. It is written beside its place and
renamed, without a single fsync: what a power cut tears is found by the CRC, which is checked as a whole before anything
is read, and counts as missing. A cache must never be the reason that an archive is refused, so no writing method
raises.
"""

from __future__ import annotations

import io
import os
import re
import zlib
from bisect import bisect_right
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from heapq import merge
from itertools import accumulate, chain, groupby, pairwise
from operator import attrgetter
from pathlib import Path
from struct import Struct
from types import TracebackType

from attrs import define, field, frozen

from ..domain.chains import Fit
from ..domain.errors import RecordsMissing
from ..domain.footprints import Footprint, footprint_of
from ..domain.members import MemberRecord
from ..domain.names import Names, named, tables
from ..domain.ports import IdSource, RecordsWriter
from .fit_files import FITS_SUFFIX, read_fits, write_fits
from .footprint_bytes import footprint_bytes, read_footprint

try:
    from isal import isal_zlib
except ImportError:  # a platform it has no wheel for
    isal_zlib = None  # type: ignore[assignment]

_compress: Callable[[bytes, int], bytes] = isal_zlib.compress if isal_zlib else zlib.compress
_decompress: Callable[[bytes], bytes] = isal_zlib.decompress if isal_zlib else zlib.decompress
_crc32: Callable[[bytes, int], int] = isal_zlib.crc32 if isal_zlib else zlib.crc32

_PART_SUFFIX = ".part"
_NAMES_SUFFIX = ".names"
_FOOTPRINT_SUFFIX = ".footprint"
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LEVEL = 1
_BLOCK_BYTES = 1 << 20  # of records, before they are compressed
_READ_BYTES = 1 << 20
_RECORD = Struct("<QI")  # place in the tar, length of the headers
# of the index: the sort, where the block begins, its compressed length, the place in the tar of its first record
_ENTRY = Struct("<BQIQ")
_FOOTER = Struct("<8sQ")  # magic, where the index begins; and behind it:
_CRC = Struct("<I")  # of all before it
_MAGIC = b"TKMEMB2\n"
_OTHERS, _DIRECTORIES, _NAMES = range(3)
_NAMES_HEAD = Struct("<I")  # how many
_NAME_BYTES = 25  # of a name beside its path and extra: place in the tar, span, two lengths, a letter
_NAMES_BYTES = 256 << 10  # of names, before they are compressed


@define(eq=False)
class FilesystemMemberRecords:
    """`MemberRecords` in the folder *path*, which no other process writes to."""

    path: Path
    _ids: IdSource
    _open_writers: set[str] = field(factory=set, init=False, repr=False)

    def begin(self) -> RecordsWriter:
        return self._begin()

    def _begin(self) -> _Writer:
        id = self._ids.new()
        self._open_writers.add(id)
        return _Writer(self, id)

    def read(self, sha256: str, *, directories_only: bool = False, start: int = 0) -> Iterator[MemberRecord]:
        file, blocks = self._open(sha256)
        directories = _from(file, _of_sort(blocks, _DIRECTORIES), start)
        if directories_only:
            return directories
        return merge(directories, _from(file, _of_sort(blocks, _OTHERS), start), key=attrgetter("at"))

    def at(self, sha256: str, positions: Sequence[int]) -> Iterator[MemberRecord]:
        file, blocks = self._open(sha256)
        sorts = (_of_sort(blocks, _DIRECTORIES), _of_sort(blocks, _OTHERS))
        return merge(*(_at(file, sort, positions) for sort in sorts), key=attrgetter("at"))

    def names(self, sha256: str) -> Iterator[Names]:
        place = self._place(sha256 + _NAMES_SUFFIX)
        records = self.read(sha256)
        with suppress(RecordsMissing):
            return _names_in(*self._open_file(place, sha256))
        with self._begin() as writer:
            for record in records:
                writer.write_name(record)
            writer.publish_at(place)
        with suppress(RecordsMissing):  # where they cannot be kept
            return _names_in(*self._open_file(place, sha256))
        return tables(self.read(sha256))

    def footprint(self, sha256: str) -> Footprint:
        place = self._place(sha256 + _FOOTPRINT_SUFFIX)
        records = self.read(sha256)
        with suppress(OSError, ValueError):
            return read_footprint(place.read_bytes())
        found = footprint_of(records)
        part = self._part(self._ids.new())
        with suppress(OSError):  # where it cannot be kept
            with io.FileIO(part, "xb", opener=_create) as file:
                file.write(footprint_bytes(found))
            part.rename(place)
        return found

    def _open(self, sha256: str) -> tuple[_OpenFile, list[_Block]]:
        if not _SHA256.fullmatch(sha256):
            raise RecordsMissing(sha256)
        return self._open_file(self._place(sha256), sha256)

    def _open_file(self, place: Path, sha256: str) -> tuple[_OpenFile, list[_Block]]:
        try:
            # Not waiting for a pipe that somebody put here, nor following a link.
            file = _OpenFile(os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK))
            return file, _checked_index(file)
        except (OSError, _Damaged) as error:
            raise RecordsMissing(sha256) from error

    def remove(self, sha256: str) -> None:
        with suppress(OSError):
            self._place(sha256).unlink(missing_ok=True)
            self._place(sha256 + _NAMES_SUFFIX).unlink(missing_ok=True)
            self._place(sha256 + FITS_SUFFIX).unlink(missing_ok=True)
            self._place(sha256 + _FOOTPRINT_SUFFIX).unlink(missing_ok=True)

    def fits(self, child: str) -> dict[str, Fit]:
        return read_fits(self._place(child + FITS_SUFFIX)) if _SHA256.fullmatch(child) else {}

    def keep_fits(self, child: str, fits: Mapping[str, Fit]) -> None:
        if _SHA256.fullmatch(child):
            write_fits(self._place(child + FITS_SUFFIX), self._part(self._ids.new()), fits)

    def sweep(self) -> None:
        with suppress(OSError):
            for part in self.path.glob("*" + _PART_SUFFIX):
                if part.name.removesuffix(_PART_SUFFIX) not in self._open_writers:
                    part.unlink(missing_ok=True)

    # -- for the writer ------------------------------------------------------------------------------------------

    def _place(self, sha256: str) -> Path:
        return self.path / sha256[:2] / sha256

    def _part(self, id: str) -> Path:
        return self.path / (id + _PART_SUFFIX)


@define
class _Pending:
    """Records of one sort that are to become a block."""

    sort: int
    parts: list[bytes] = field(factory=list)
    size_bytes: int = 0
    first: int = 0


@define
class _PendingNames:
    """Names that are to become a block."""

    positions: list[int] = field(factory=list)
    letters: bytearray = field(factory=bytearray)
    paths: list[bytes] = field(factory=list)
    extras: list[bytes] = field(factory=list)
    spans: list[int] = field(factory=list)
    size_bytes: int = 0

    def add(self, record: MemberRecord) -> None:
        letter, path, extra, span = named(record)
        self.positions.append(record.at)
        self.letters.append(letter)
        self.paths.append(path)
        self.extras.append(extra)
        self.spans.append(span)
        self.size_bytes += _NAME_BYTES + len(path) + len(extra)

    def take(self) -> bytes:
        """The block, before it is compressed."""
        count = len(self.paths)
        paths, extras = self.paths, self.extras
        block = b"".join(
            (
                _NAMES_HEAD.pack(count),
                Struct(f"<{count}Q").pack(*self.positions),
                Struct(f"<{count}q").pack(*self.spans),
                Struct(f"<{count}I").pack(*map(len, paths)),
                Struct(f"<{count}I").pack(*map(len, extras)),
                self.letters,
                *paths,
                *extras,
            )
        )
        self.forget()
        return block

    def forget(self) -> None:
        self.positions.clear()
        self.letters.clear()
        self.paths.clear()
        self.extras.clear()
        self.spans.clear()
        self.size_bytes = 0


@define(eq=False)
class _Writer:
    _records: FilesystemMemberRecords
    _id: str
    _directories: _Pending = field(factory=lambda: _Pending(_DIRECTORIES))
    _others: _Pending = field(factory=lambda: _Pending(_OTHERS))
    _names: _PendingNames = field(factory=_PendingNames)
    _file: io.FileIO | None = None
    _index: list[bytes] = field(factory=list)
    _written_bytes: int = 0
    _crc: int = 0
    _is_over: bool = False  # published, or something could not be kept

    def write(self, record: MemberRecord) -> None:
        pending = self._directories if record.is_directory else self._others
        headers = record.headers
        if not pending.parts:
            pending.first = record.at
        pending.parts += (_RECORD.pack(record.at, len(headers)), headers)
        pending.size_bytes += len(headers)
        if pending.size_bytes >= _BLOCK_BYTES:
            self._attempt(lambda: self._flush(pending))

    def write_name(self, record: MemberRecord) -> None:
        self._names.add(record)
        if self._names.size_bytes >= _NAMES_BYTES:
            self._attempt(self._flush_names)

    def publish(self, sha256: str) -> None:
        self.publish_at(self._records._place(sha256))

    def publish_at(self, place: Path) -> None:
        self._attempt(lambda: self._publish(place))

    def _flush(self, pending: _Pending) -> None:
        block = _compress(b"".join(pending.parts), _LEVEL)
        pending.parts.clear()
        pending.size_bytes = 0
        self._index.append(_ENTRY.pack(pending.sort, self._written_bytes, len(block), pending.first))
        self._append(block)

    def _flush_names(self) -> None:
        first = self._names.positions[0]
        block = _compress(self._names.take(), _LEVEL)
        self._index.append(_ENTRY.pack(_NAMES, self._written_bytes, len(block), first))
        self._append(block)

    def _publish(self, place: Path) -> None:
        for pending in (self._directories, self._others):
            if pending.parts:
                self._flush(pending)
        if self._names.paths:
            self._flush_names()
        index_at = self._written_bytes
        self._append(b"".join(self._index))
        self._append(_FOOTER.pack(_MAGIC, index_at))
        self._append(_CRC.pack(self._crc))
        self._close()
        place.parent.mkdir(mode=0o700, exist_ok=True)
        self._records._part(self._id).rename(place)
        self._is_over = True

    def _append(self, content: bytes) -> None:
        if self._file is None:
            self._records.path.mkdir(mode=0o700, exist_ok=True)
            self._file = io.FileIO(self._records._part(self._id), "xb", opener=_create)
        self._crc = _crc32(content, self._crc)
        self._written_bytes += len(content)
        rest = memoryview(content)
        while rest:
            rest = rest[self._file.write(rest) :]

    def _attempt(self, step: Callable[[], None]) -> None:
        if self._is_over:
            self._forget()
            return
        try:
            step()
        except OSError:
            self._drop()

    def _drop(self) -> None:
        self._is_over = True
        self._forget()
        with suppress(OSError):
            self._close()
        with suppress(OSError):
            self._records._part(self._id).unlink(missing_ok=True)

    def _forget(self) -> None:
        for pending in (self._directories, self._others):
            pending.parts.clear()
            pending.size_bytes = 0
        self._names.forget()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def __enter__(self) -> _Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._is_over:
            self._drop()
        self._records._open_writers.discard(self._id)


class _OpenFile:
    """A file to read from that is closed when nobody has it any more, such as an iterator that was not used up."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size_bytes = os.fstat(descriptor).st_size

    def read(self, size_bytes: int, at: int) -> bytes:
        return os.pread(self._descriptor, size_bytes, at)

    def __del__(self) -> None:
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
    The blocks in *file*.

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
        crc = _crc32(content, crc)
        position += len(content)
    if crc != expected:
        raise _Damaged
    return [_Block(*entry) for entry in _ENTRY.iter_unpack(file.read(index_end - index_at, index_at))]


def _of_sort(blocks: list[_Block], sort: int) -> list[_Block]:
    return [block for block in blocks if block.sort == sort]


def _names_in(file: _OpenFile, blocks: list[_Block]) -> Iterator[Names]:
    return (_names_of(_decompress(file.read(block.size_bytes, block.at))) for block in blocks)


def _names_of(content: bytes) -> Names:
    (count,) = _NAMES_HEAD.unpack_from(content)
    at = _NAMES_HEAD.size
    columns = []
    for column in map(Struct, (f"<{count}Q", f"<{count}q", f"<{count}I", f"<{count}I")):
        columns.append(column.unpack_from(content, at))
        at += column.size
    positions, spans, *lengths = columns
    letters = content[at : at + count]
    ends = list(accumulate(chain(*lengths), initial=at + count))
    texts = [content[begin:end] for begin, end in pairwise(ends)]
    return Names(positions, letters, texts[:count], texts[count:], spans)


def _from(file: _OpenFile, blocks: list[_Block], start: int) -> Iterator[MemberRecord]:
    """The records of *blocks*, all of one sort, from the position *start* on."""
    begin = max(0, bisect_right(blocks, start, key=attrgetter("first")) - 1)
    for block in blocks[begin:]:
        for record in _of_block(file, block):
            if record.at >= start:
                yield record


def _at(file: _OpenFile, blocks: list[_Block], positions: Sequence[int]) -> Iterator[MemberRecord]:
    """The records of *blocks*, all of one sort, that stand at *positions*."""

    def number(position: int) -> int:
        return bisect_right(blocks, position, key=attrgetter("first")) - 1

    for index, group in groupby(positions, key=number):
        if index >= 0:
            yield from _of_block(file, blocks[index], set(group))


def _of_block(file: _OpenFile, block: _Block, wanted: Container[int] | None = None) -> Iterator[MemberRecord]:
    """Its records, all or those at the positions that are *wanted*."""
    content = _decompress(file.read(block.size_bytes, block.at))
    position, stop = 0, len(content)
    is_directory = block.sort == _DIRECTORIES
    while position < stop:
        at, length = _RECORD.unpack_from(content, position)
        position += _RECORD.size
        if wanted is None or at in wanted:
            yield MemberRecord(at, content[position : position + length], is_directory)
        position += length


def _create(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
