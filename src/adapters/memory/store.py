"""
Archives in memory, for tests and for trying things out.

Keeps the promises of `ArchiveStore` but the one that memory cannot keep: nothing survives the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from types import TracebackType

from attrs import Factory, define, evolve, field, frozen

from ...domain.archives.totals import Usage
from ...domain.errors.archives import (
    AlreadyPublished,
    ArchiveCorrupt,
    ArchiveNotFound,
    ArchiveProtected,
    SnapshotNotFound,
)
from ...domain.errors.uploads import StagedBytesMissing
from ...domain.identity.archive_id import ArchiveId
from ...domain.ports.store import ArchiveReader, ArchiveWriter, Block, Rereading, StoredArchive, TrashedArchive, untold
from ...domain.ports.system import Clock
from ...domain.retention.marks import decode
from ...domain.retention.trash_note import is_purged
from ..process.clock_and_ids import SystemClock
from ..rereading import OneByOne
from .held_archives import HeldArchive, HeldTrash

_BLOCK_BYTES = 1 << 20


@define(eq=False)
class _Staged:
    touched: datetime
    upload: str = ""  # the name under which it outlives its writer, if it does
    content: bytearray = Factory(bytearray)


@define(eq=False)
class MemoryArchiveStore:
    """An `ArchiveStore` in memory. *free_bytes* is what `usage` reports; no write is refused for lack of space."""

    _clock: Clock = field(factory=SystemClock)
    free_bytes: int = 1 << 40
    archives: dict[ArchiveId, HeldArchive] = field(factory=dict, init=False)
    in_trash: dict[ArchiveId, HeldTrash] = field(factory=dict, init=False)
    in_quarantine: list[tuple[ArchiveId, bytes, datetime]] = field(factory=list, init=False)
    _staging: set[_Staged] = field(factory=set, init=False)
    _open: set[_Staged] = field(factory=set, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def begin(self) -> ArchiveWriter:
        staged = _Staged(self._clock.now())
        with self._lock:
            self._staging.add(staged)
            self._open.add(staged)
        return _Writer(self, staged)

    def resume(self, upload: str, size_bytes: int) -> ArchiveWriter:
        with self._lock:
            staged = self._staged(upload) or _Staged(self._clock.now(), upload)
            if len(staged.content) < size_bytes:
                raise StagedBytesMissing(upload)
            del staged.content[size_bytes:]
            self._staging.add(staged)
            self._open.add(staged)
        return _Writer(self, staged)

    def staged_bytes(self, upload: str) -> int:
        with self._lock:
            staged = self._staged(upload)
            return 0 if staged is None else len(staged.content)

    def discard(self, upload: str) -> None:
        with self._lock:
            staged = self._staged(upload)
            if staged is not None:
                self._staging.discard(staged)

    def _staged(self, upload: str) -> _Staged | None:
        return next((staged for staged in self._staging if staged.upload == upload), None)

    def read(self, id: ArchiveId, start: int = 0, stop: int | None = None) -> ArchiveReader:
        held = self._held(id)
        size = len(held.content)
        first = min(max(start, 0), size)
        last = size if stop is None else min(max(stop, first), size)
        return _Reader(id, held, first, last)

    def reread(self, id: ArchiveId) -> ArchiveReader:
        return self.read(id)

    def rereading(self, ids: Sequence[ArchiveId]) -> Rereading:
        return OneByOne(self, ids)

    def stat(self, id: ArchiveId) -> StoredArchive:
        return self._held(id).stored_as(id)

    def scan(self) -> Iterator[StoredArchive]:
        with self._lock:
            found = [held.stored_as(id) for id, held in sorted(self.archives.items())]
        yield from found

    def annotate(self, id: ArchiveId, sidecar: bytes, instead_of: bytes | None = None) -> None:
        held = self._held(id)
        with self._lock:
            if held.sidecar not in (None, instead_of):
                raise AlreadyPublished(id)
            held.sidecar = bytes(sidecar)

    def keep_snapshot(self, id: ArchiveId, blocks: Iterable[Block], *, replace: bool = False) -> None:
        held = self._held(id)
        snapshot = b"".join(blocks)
        with self._lock:
            if held.snapshot not in (None, snapshot) and not replace:
                raise AlreadyPublished(id)
            held.snapshot = snapshot

    def snapshot(self, id: ArchiveId) -> ArchiveReader:
        with self._lock:
            held = self.archives.get(id)
        if held is None or held.snapshot is None:
            raise SnapshotNotFound(id)
        return _Reader(id, HeldArchive(held.snapshot, None), 0, len(held.snapshot))

    def ids(self) -> Iterator[ArchiveId]:
        with self._lock:
            found = sorted(self.archives)
        yield from found

    def snapshots(self) -> Iterator[ArchiveId]:
        with self._lock:
            found = [id for id, held in sorted(self.archives.items()) if held.snapshot is not None]
        yield from found

    def remove(self, id: ArchiveId) -> None:
        with self._lock:
            self.archives.pop(id, None)

    # -- marks and the trash -------------------------------------------------------------------------------------

    def marks(self, id: ArchiveId) -> bytes | None:
        with self._lock:
            return self._anywhere(id).marks

    def mark(self, id: ArchiveId, marks: bytes, instead_of: bytes | None) -> None:
        with self._lock:
            held = self._anywhere(id)
            if held.marks != instead_of:
                raise AlreadyPublished(id)
            held.marks = bytes(marks)

    def marked(self, profile: str | None = None) -> Iterator[ArchiveId]:
        with self._lock:
            held = [id for id, held in self._all_held() if held.marks is not None]
        yield from sorted(id for id in held if profile in (None, id.profile))

    def trash(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None] = untold) -> None:
        with self._lock:
            held = self._anywhere(id)
            self._refuse_another(id, self._trashed(id))
            _refuse_protected(id, held, now)
            self.in_trash[id] = HeldTrash(held, bytes(note))
        tell()
        with self._lock:
            self.archives.pop(id, None)

    def untrash(self, id: ArchiveId) -> None:
        with self._lock:
            held = self._trashed(id)
            if held is None:
                raise ArchiveNotFound(str(id))
            self._refuse_another(id, held)
            self.archives[id] = held
            del self.in_trash[id]

    def trashed(self) -> Iterator[TrashedArchive]:
        with self._lock:
            found = [entry.trashed_as(id) for id, entry in sorted(self.in_trash.items())]
        yield from found

    def note(self, id: ArchiveId) -> bytes | None:
        with self._lock:
            return self.in_trash[id].note if id in self.in_trash else None

    def purge(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None] = untold) -> None:
        with self._lock:
            held = self._trashed(id)
            if id not in self.in_trash or (held is not None and self.archives.get(id) is held):  # it is half moved
                raise ArchiveNotFound(str(id))
            if held is not None:
                _refuse_protected(id, held, now)
                if not is_purged(self.in_trash[id].note):
                    self.in_trash[id] = HeldTrash(held, bytes(note))
        tell()
        with self._lock:
            self.in_trash[id] = evolve(self.in_trash[id], held=None)

    def forget(self, id: ArchiveId) -> None:
        with self._lock:
            if self._trashed(id) is not None:
                raise AlreadyPublished(id)
            self.in_trash.pop(id, None)

    def _trashed(self, id: ArchiveId) -> HeldArchive | None:
        return self.in_trash[id].held if id in self.in_trash else None

    def _refuse_another(self, id: ArchiveId, trashed: HeldArchive | None) -> None:
        if id in self.archives and trashed not in (None, self.archives[id]):
            raise AlreadyPublished(id)

    def _anywhere(self, id: ArchiveId) -> HeldArchive:
        held = self.archives.get(id) or self._trashed(id)
        if held is None:
            raise ArchiveNotFound(str(id))
        return held

    def _all_held(self) -> Iterator[tuple[ArchiveId, HeldArchive]]:
        yield from self.archives.items()
        yield from ((id, entry.held) for id, entry in self.in_trash.items() if entry.held is not None)

    # -- the medium ----------------------------------------------------------------------------------------------

    def empty_quarantine(self, older_than: datetime) -> int:
        with self._lock:
            before = len(self.in_quarantine)
            self.in_quarantine = [kept for kept in self.in_quarantine if kept[2] >= older_than]
            return before - len(self.in_quarantine)

    def check(self) -> None:
        """Does nothing: memory is always there."""

    def usage(self) -> Usage:
        with self._lock:
            used = sum(len(held.content) for _, held in self._all_held())
        return Usage(used, self.free_bytes)

    def sweep(self, older_than: datetime, keeping: Callable[[], Collection[str]] = tuple) -> int:
        with self._lock:
            old = {staged for staged in self._staging - self._open if staged.touched < older_than}
        kept = keeping()
        with self._lock:
            abandoned = {staged for staged in old - self._open if staged.upload not in kept}
            self._staging -= abandoned
        return len(abandoned)

    def close(self) -> None:
        """Does nothing: there is nothing to release."""

    def _held(self, id: ArchiveId) -> HeldArchive:
        with self._lock:
            try:
                return self.archives[id]
            except KeyError:
                raise ArchiveNotFound(str(id)) from None

    def _append(self, staged: _Staged, block: Block) -> None:
        staged.content += block
        staged.touched = self._clock.now()

    def _publish(self, id: ArchiveId, staged: _Staged, sidecar: bytes, marks: bytes | None) -> None:
        with self._lock:
            if id in self.archives or self._trashed(id) is not None:
                raise AlreadyPublished(id)
            self.archives[id] = HeldArchive(bytes(staged.content), sidecar, marks=marks)
            self._staging.discard(staged)

    def _replace(self, id: ArchiveId, staged: _Staged, sidecar: bytes) -> None:
        with self._lock:
            before = self.archives.get(id)
            replaced = self.archives[id] = HeldArchive(bytes(staged.content), sidecar)
            if before is not None:
                replaced.snapshot, replaced.marks = before.snapshot, before.marks
                self.in_quarantine.append((id, before.content, self._clock.now()))
            self._staging.discard(staged)

    def _drop(self, staged: _Staged) -> None:
        with self._lock:
            self._open.discard(staged)
            if not staged.upload:
                self._staging.discard(staged)


def _refuse_protected(id: ArchiveId, held: HeldArchive, now: datetime) -> None:
    found = decode(held.marks).protection(now)
    if found:
        raise ArchiveProtected(id, found)


@define(eq=False)
class _Writer:
    _store: MemoryArchiveStore
    _staged: _Staged
    _sidecar: bytes | None = None
    _marks: bytes | None = None
    _is_published: bool = False

    @property
    def size_bytes(self) -> int:
        return len(self._staged.content)

    def sync(self) -> None:
        self._check_unpublished()

    def staged(self, start: int = 0) -> Iterator[bytes]:
        for position in range(start, self.size_bytes, _BLOCK_BYTES):
            yield bytes(self._staged.content[position : position + _BLOCK_BYTES])

    def truncate(self, size_bytes: int) -> None:
        self._check_unpublished()
        self._sidecar = None
        del self._staged.content[size_bytes:]

    def write(self, block: Block) -> None:
        self._check_unpublished()
        self._sidecar = None
        self._store._append(self._staged, block)

    def seal(self, sidecar: bytes, marks: bytes | None = None) -> None:
        self._check_unpublished()
        self._sidecar, self._marks = bytes(sidecar), None if marks is None else bytes(marks)

    def publish(self, id: ArchiveId) -> None:
        self._store._publish(id, self._staged, self._sealed(), self._marks)
        self._is_published = True

    def replace(self, id: ArchiveId) -> None:
        self._store._replace(id, self._staged, self._sealed())
        self._is_published = True

    def _sealed(self) -> bytes:
        self._check_unpublished()
        if self._sidecar is None:
            raise ValueError("seal the archive before publishing it")
        return self._sidecar

    def _check_unpublished(self) -> None:
        if self._is_published:
            raise ValueError("this archive is published")

    def __enter__(self) -> _Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._store._drop(self._staged)


@frozen(eq=False)
class _Reader:
    _id: ArchiveId
    _held: HeldArchive
    _start: int
    _stop: int

    @property
    def size_bytes(self) -> int:
        return self._stop - self._start

    def __iter__(self) -> Iterator[bytes]:
        for position in range(self._start, self._stop, _BLOCK_BYTES):
            end = min(position + _BLOCK_BYTES, self._stop)
            block = self._held.content[position:end]
            if len(block) < end - position:
                raise ArchiveCorrupt(self._id)
            yield block

    def __enter__(self) -> _Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Does nothing: there is nothing to release."""
