"""
The unpacker: inflated bytes of stored archives, whole or from any position.

Without a seek index, everything before a position is inflated and dropped. With one, inflating begins at the last place
before it. Either way the compressed bytes come from the store's reader, so any store will do. The rule: an index only
makes things faster. If its folder is missing, or the index in it is damaged, the same bytes are returned.

An archive read as a whole is inflated ahead of the reader, in a separate thread. Indexes are made by one thread, one
after the other, at low priority: reading an archive far from its beginning is a reason to expect that it will happen
again.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import chain
from types import TracebackType
from typing import Self

from attrs import define, field

from ...domain.archives.archive import ArchiveState, BackupArchive, Kind
from ...domain.errors.archives import ArchiveCorrupt
from ...domain.errors.content import RejectedContent
from ...domain.ports.store import ArchiveReader
from ...domain.ports.unpacking import NotYet, UnpackedArchive
from ...domain.tarkeep_error import TarkeepError
from ..process.background import step_back
from ..process.prefetcher import AheadBudget
from .deflate import FASTEST, BadDeflate, InflateEngine, begun_inside
from .gzip_stream import GzipStream
from .seek_index import SPACING_BYTES, IndexUnusable, SeekIndex, SeekIndexes, SeekPoint, through, write_index

FAR_BYTES = 16 << 20
"""Inflating this much takes 25 ms; an index is only worth making for reads beyond it."""

SKIPPED_BYTES = 2 * SPACING_BYTES
"""An index is made when a reader goes through an archive from beyond this many bytes; it then saves most of them."""

QUIET_SECONDS = 2.0
"""An index is made only once no archive has been read through for so long: it would slow down a restore."""

_LOG = logging.getLogger("tarkeep.seek")
_MAX_WAITING = 1000  # a restore reads hundreds

OpenBytes = Callable[[BackupArchive, int, int | None], ArchiveReader]
"""Opens the stored bytes of an archive from one position to another, as the use case `ReadArchive` does."""


class _Cancelled(Exception):
    """The unpacker is being closed."""


@define(eq=False)
class TargzUnpacker:
    """
    An `Unpacker` of what *open_bytes* reads, with indexes in *indexes*.

    An archive is indexed once a reader went beyond its first *far_bytes* inflated bytes, or went through it starting
    after its first *skipped_bytes*; places are at least *spacing_bytes* apart.
    """

    open_bytes: OpenBytes
    indexes: SeekIndexes
    engine: InflateEngine = FASTEST
    far_bytes: int = FAR_BYTES
    spacing_bytes: int = SPACING_BYTES
    skipped_bytes: int = SKIPPED_BYTES
    quiet_seconds: float = QUIET_SECONDS
    ahead: AheadBudget = field(factory=AheadBudget)
    _gone_through_at: float = field(default=-math.inf, init=False)
    _background: _Background = field(init=False)

    @_background.default
    def _start(self) -> _Background:
        return _Background(self._index, self._pause_seconds)

    def open(self, archive: BackupArchive) -> UnpackedArchive:
        if archive.state is ArchiveState.DAMAGED:
            raise ArchiveCorrupt(archive.id)
        return _Unpacked(self, archive)

    def settle(self) -> None:
        """Wait until no index is being made and none is queued."""
        self._background.settle()

    def close(self) -> None:
        self._background.close()

    # -- for the opened archive ------------------------------------------------------------------------------------

    def want_index(self, archive: BackupArchive) -> None:
        self._background.put(archive)

    def note_going_through(self) -> None:
        """A reader goes through an archive, and perhaps through many."""
        self._gone_through_at = time.monotonic()

    def _pause_seconds(self) -> float:
        return self._gone_through_at + self.quiet_seconds - time.monotonic()

    def blocks(self, archive: BackupArchive, start: int) -> Iterator[bytes]:
        """The compressed bytes, starting at *start*."""
        with self.open_bytes(archive, start, None) as reader:
            yield from reader

    def _index(self, archive: BackupArchive) -> None:
        def read_from(start: int) -> Iterator[bytes]:
            for block in self.blocks(archive, start):
                self._background.check()
                yield block

        sha256 = archive.digests.sha256
        with self.indexes.create(sha256) as target:
            write_index(
                read_from,
                archive.size_bytes,
                sha256,
                target,
                engine=self.engine,
                spacing_bytes=self.spacing_bytes,
            )


@define(eq=False)
class _Unpacked:
    _unpacker: TargzUnpacker
    _archive: BackupArchive
    _index: SeekIndex | None = None
    _given: Generator[bytes | NotYet, None, None] | None = None  # the current iterator, which may hold the archive open
    _opened: ExitStack = field(factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.callback(self._end)
        self._opened.close()

    def through(self, start: int = 0) -> Iterator[bytes | NotYet]:
        self._end()
        self._given = pieces = self._unpacker.ahead.ahead(partial(self._all, start), name="inflate-ahead")
        return pieces

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        self._end()
        self._given = pieces = self._range(start, stop)
        return pieces

    def _end(self) -> None:
        if self._given is not None:
            self._given.close()

    def _all(self, start: int) -> Generator[bytes, None, None]:
        is_far = start >= self._unpacker.skipped_bytes
        self._unpacker.note_going_through()
        with self._damage_told():
            found = self._by_index(start, None) if is_far else None
            if found is not None:
                position, pieces = found
                yield from _last_held_back(self._then_read_all(_clipped(position, pieces, start, None)))
                return
            pieces = self._from(0, GzipStream(self._unpacker.engine))
            yield from _last_held_back(_clipped(0, pieces, start, None) if start else pieces)
        if is_far:
            self._unpacker.note_going_through()
            self._unpacker.want_index(self._archive)

    def _then_read_all(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """*pieces*, ending only after every byte of the file was read, and checked by the reader that opened it."""
        yield from pieces
        for _ in self._unpacker.blocks(self._archive, 0):
            pass

    def _range(self, start: int, stop: int) -> Generator[bytes, None, None]:
        with self._damage_told():
            position, pieces = self._by_index(start, stop) or self._without(stop)
            for piece in _last_held_back(_clipped(position, pieces, start, stop)):
                if self._index is None and start >= self._unpacker.far_bytes:
                    self._unpacker.want_index(self._archive)  # not before: it would slow down this read
                yield piece

    def _without(self, stop: int) -> tuple[int, Iterator[bytes]]:
        return 0, _until(stop, self._from(0, GzipStream(self._unpacker.engine)))

    def _by_index(self, start: int, stop: int | None) -> tuple[int, Iterator[bytes]] | None:
        """The bytes inflated from the last place before *start* on, and their position; None without an index."""
        index = self._find_index()
        if index is None:
            return None
        place = index.place_before(start)
        point = index.points[place]
        try:
            stop = index.unpacked_bytes if stop is None else stop
            return point.at, self._checked(index, place, stop, self._from_place(index, point))
        except IndexUnusable:
            self._drop_index()
            return None

    def _from(self, byte: int, stream: GzipStream) -> Iterator[bytes]:
        return through(stream, self._unpacker.blocks(self._archive, byte))

    def _from_place(self, index: SeekIndex, point: SeekPoint) -> Iterator[bytes]:
        engine = self._unpacker.engine
        byte, bit = divmod(point.bit, 8)
        if not point.window_bytes:
            return self._from(byte, GzipStream(engine))
        window = index.window(point)
        blocks = self._unpacker.blocks(self._archive, byte)
        first = next(blocks, b"")
        if not first:
            raise ArchiveCorrupt(self._archive.id)
        try:
            inflater = begun_inside(engine, window, bit, first[0])
        except BadDeflate as error:
            raise ArchiveCorrupt(self._archive.id) from error
        return through(GzipStream(engine, inflater), chain((first[bool(bit) :],), blocks))

    def _checked(self, index: SeekIndex, place: int, stop: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """*pieces*, from that place on, until the end of the stretch that contains *stop*."""
        position, crc = index.points[place].at, 0
        for piece in pieces:
            begin = 0
            while begin < len(piece):
                end = index.end_of(place)
                part = piece[begin : begin + end - position]
                begin += len(part)
                position += len(part)
                crc = zlib.crc32(part, crc)
                yield part
                if position == end:
                    if crc != index.points[place].crc:
                        raise ArchiveCorrupt(self._archive.id)
                    if position >= stop or place + 1 == len(index.points):
                        return
                    place, crc = place + 1, 0
        raise ArchiveCorrupt(self._archive.id)

    def _find_index(self) -> SeekIndex | None:
        if self._index is None:
            sha256 = self._archive.digests.sha256
            with suppress(TarkeepError):  # an index that cannot be read counts as missing
                file = self._unpacker.indexes.open(sha256)
                if file is not None:
                    self._opened.enter_context(file)
                    try:
                        self._index = SeekIndex.read(file, sha256)
                    except IndexUnusable:
                        self._unpacker.indexes.remove(sha256)
        return self._index

    def _drop_index(self) -> None:
        self._index = None
        with suppress(TarkeepError):
            self._unpacker.indexes.remove(self._archive.digests.sha256)

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        try:
            yield
        except ArchiveCorrupt:
            if self._index is not None:  # in case the index is wrong, the next reader works without it
                self._drop_index()
            raise
        except RejectedContent as error:
            if self._index is not None:
                self._drop_index()
            contents = self._archive.contents
            if contents is None or contents.kind is Kind.OPAQUE:
                raise
            raise ArchiveCorrupt(self._archive.id) from error


def _until(stop: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """*pieces*, without asking for another one once *stop* bytes were given."""
    position = 0
    while position < stop and (piece := next(pieces, None)) is not None:
        position += len(piece)
        yield piece


def _clipped(position: int, pieces: Iterator[bytes], start: int, stop: int | None) -> Iterator[bytes]:
    """The part of *pieces*, the first of which is at *position*, from *start* to *stop*, or to their end."""
    for piece in pieces:
        part = piece[max(0, start - position) : None if stop is None else max(0, stop - position)]
        position += len(piece)
        if part:
            yield part


def _last_held_back(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """*pieces*, each given when the next is ready, the last when the iterator has ended without an error."""
    held = None
    for piece in pieces:
        if held is not None:
            yield held
        held = piece
    if held is not None:
        yield held


class _Background:
    """
    Calls *work* for one archive at a time, in a thread that lives as long as archives are queued, as soon as
    *pause_seconds* says that there is nothing to wait for.
    """

    def __init__(self, work: Callable[[BackupArchive], None], pause_seconds: Callable[[], float]) -> None:
        self._work = work
        self._pause_seconds = pause_seconds
        self._ends = threading.Event()
        self._waiting: deque[BackupArchive] = deque()
        self._known: set[str] = set()  # by digest: archives queued, in work, or failed, which would fail again
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def put(self, archive: BackupArchive) -> None:
        """Queue *archive*, unless it is queued or in work already, has failed before, or the queue is full."""
        with self._changed:
            sha256 = archive.digests.sha256
            if self._closed or sha256 in self._known or len(self._waiting) >= _MAX_WAITING:
                return
            self._known.add(sha256)
            self._waiting.append(archive)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="seek-index", daemon=True)
                self._thread.start()

    def check(self) -> None:
        """
        Called by *work* now and then.

        Raises:
            _Cancelled: *work* should end.
        """
        if self._closed:
            raise _Cancelled

    def settle(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._thread is None)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._ends.set()
            self._waiting.clear()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        # This thread alone gets a low priority; the processor is for threads that a caller waits for.
        step_back()
        while True:
            with self._changed:
                if not self._waiting:
                    self._thread = None
                    self._changed.notify_all()
                    return
                archive = self._waiting.popleft()
            while not self._closed and (pause := self._pause_seconds()) > 0:
                self._ends.wait(pause)
            try:
                self._work(archive)
            except _Cancelled:
                continue
            except Exception as error:  # no caller waits for it, and a reader meets its own error
                _LOG.warning("no seek index of %s: %s", archive.id, error or type(error).__name__)
            else:
                with self._changed:
                    self._known.discard(archive.digests.sha256)
