"""The bytes of resumable uploads below ``PREFIX/staging/<upload>/``; `segments` says how they lie there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from datetime import datetime

from attrs import define, field, frozen

from ....domain.errors.capacity import BackendUnavailable
from ....domain.errors.uploads import StagedBytesMissing
from ....domain.ports.store import Block
from ....domain.ports.system import IdSource
from ..bucket.objects import RECEIPT, ObjectBucket
from ..keys import STAGING
from .segments import (
    SEGMENT_BYTES,
    Chain,
    Segment,
    cut,
    decoded,
    encoded,
    goes_on,
    list_of,
    name_of,
    newest_generation,
    size_of,
    taken_in,
)

_BLOCK_BYTES = 1 << 20
_TRIES = 5


@frozen
class StagedUploads:
    """What the bucket holds of resumable uploads."""

    _bucket: ObjectBucket
    _ids: IdSource

    def resume(self, upload: str, size_bytes: int) -> StagedWriter:
        """
        Go on with the first *size_bytes* bytes of *upload*; whoever wrote to it before can add nothing any more.

        Raises:
            StagedBytesMissing: fewer bytes are there.
            BackendUnavailable: others go on with it at the same moment.
        """
        folder = _folder(upload)
        for _ in range(_TRIES):
            names, newest, chain = self._found(upload)
            if size_of(chain) < size_bytes:
                raise StagedBytesMissing(upload)
            chain = cut(chain, size_bytes)
            mine = newest + 1
            if self._bucket.put_first(folder + list_of(mine), encoded(chain), {RECEIPT: self._ids.new()}):
                left = set(names) - {one.name for one in chain}
                self._bucket.delete(*(folder + name for name in sorted(left)))
                return StagedWriter(self._bucket, upload, mine, chain)
        raise BackendUnavailable("store", "others go on with this upload at the same moment")

    def size_bytes(self, upload: str) -> int:
        """How many bytes `resume` finds; 0 for an unknown upload."""
        return size_of(self._found(upload)[2])

    def drop(self, upload: str) -> None:
        """Drop all of *upload*. An unknown one is no error."""
        # the lists last, and the newest of them: until it is gone, nobody begins a generation with its number
        names = sorted(self._names(upload), key=lambda name: (name.endswith(".list"), name))
        self._bucket.delete(*(_folder(upload) + name for name in names))

    def sweep(self, older_than: datetime, keeping: Callable[[], Collection[str]]) -> int:
        """
        Drop what was last written before *older_than*, but uploads that *keeping* names, which is asked last; returns
        the number of uploads.
        """
        newest: dict[str, datetime] = {}
        for one in self._bucket.below(STAGING):
            upload = one.key.removeprefix(STAGING).partition("/")[0]
            newest[upload] = max(newest.get(upload, one.modified_at), one.modified_at)
        kept = keeping()
        abandoned = [upload for upload, at in newest.items() if at < older_than and upload not in kept]
        for upload in abandoned:
            self.drop(upload)
        return len(abandoned)

    def _names(self, upload: str) -> list[str]:
        folder = _folder(upload)
        return [one.key.removeprefix(folder) for one in self._bucket.listed(folder)]

    def _found(self, upload: str) -> tuple[list[str], int, Chain]:
        """The names of all objects, the newest generation, and what it has; for nothing that is nothing, 0, nothing."""
        for _ in range(_TRIES):
            names = self._names(upload)
            newest = newest_generation(names)
            if not newest:
                return names, 0, ()
            listed = self._bucket.get_small(_folder(upload) + list_of(newest))
            if listed is None:  # another generation began meanwhile
                continue
            try:
                return names, newest, goes_on(decoded(listed.content), newest, names)
            except ValueError:
                raise StagedBytesMissing(upload) from None
        raise BackendUnavailable("store", "others go on with this upload at the same moment")


def _folder(upload: str) -> str:
    return f"{STAGING}{upload}/"


@define(eq=False)
class StagedWriter:
    """
    Writes the generation *generation* of *upload*, which begins with *chain*.

    For one thread at a time, but for `sync`, which covers what was written before.
    """

    _bucket: ObjectBucket
    _upload: str
    _generation: int
    _chain: Chain
    _number: int = field(default=0, init=False)
    _buffer: bytearray = field(factory=bytearray, init=False)
    _turn: threading.RLock = field(factory=threading.RLock, init=False)

    @property
    def size_bytes(self) -> int:
        return size_of(self._chain) + len(self._buffer)

    def write(self, block: Block) -> None:
        """Append *block*, of which at most a segment is in memory."""
        rest = memoryview(block).cast("B")
        while rest:
            with self._turn:
                taken = rest[: SEGMENT_BYTES - len(self._buffer)]
                self._buffer += taken
                if len(self._buffer) == SEGMENT_BYTES:
                    self._flush()
            rest = rest[len(taken) :]

    def sync(self) -> None:
        """Make what was written durable."""
        with self._turn:
            self._flush()

    def staged(self, start: int = 0) -> Iterator[bytes]:
        """The bytes from *start* on, in blocks of at most 1 MiB."""
        for segment in self._chain:
            if segment.end > start:
                yield from _blocks(self._content(segment)[max(start - segment.offset, 0) :])
        yield from _blocks(bytes(self._buffer[max(start - size_of(self._chain), 0) :]))

    def truncate(self, size_bytes: int) -> None:
        """Drop what was written beyond *size_bytes*."""
        with self._turn:
            del self._buffer[max(size_bytes - size_of(self._chain), 0) :]
            self._chain = cut(self._chain, size_bytes)

    def _flush(self) -> None:
        if not self._buffer:
            return
        names = [one.key.rpartition("/")[2] for one in self._bucket.listed(_folder(self._upload))]
        if newest_generation(names) != self._generation:  # nobody would read what this one adds
            raise BackendUnavailable("store", "another request goes on with this upload")
        count = taken_in(self._chain, len(self._buffer))
        kept, small = self._chain[: len(self._chain) - count], self._chain[len(self._chain) - count :]
        content = b"".join([*map(self._content, small), bytes(self._buffer)])
        self._number += 1
        offset = size_of(kept)
        name = name_of(self._generation, self._number, offset, len(content))
        self._bucket.put(self._key(name), content)
        self._chain = (*kept, Segment(name, offset, len(content)))
        self._buffer.clear()
        self._bucket.delete(*(self._key(one.name) for one in small))

    def _content(self, segment: Segment) -> bytes:
        found = self._bucket.get_small(self._key(segment.name))
        if found is None or len(found.content) < segment.length:
            raise StagedBytesMissing(self._upload)
        return found.content[: segment.length]

    def _key(self, name: str) -> str:
        return _folder(self._upload) + name


def _blocks(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _BLOCK_BYTES):
        yield content[start : start + _BLOCK_BYTES]
