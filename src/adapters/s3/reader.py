"""
The bytes of an object as an `ArchiveReader`.

The rule: what is given out is a range of one object. Each request names the object by its ETag, and after a broken
connection the next one goes on at the position that was reached.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any

from attrs import define, field
from botocore.exceptions import BotoCoreError, HTTPClientError
from urllib3.exceptions import HTTPError

from ...domain.errors.archives import ArchiveCorrupt, ArchiveNotFound
from ...domain.errors.capacity import BackendUnavailable
from ...domain.identity.archive_id import ArchiveId
from .bucket.objects import ObjectBucket, ObjectChanged, SeenObject

_BLOCK_BYTES = 1 << 20
_BREAKS = 3
"""How often the connection may break before the read has failed."""


@define(eq=False)
class ObjectReader:
    """The bytes from *start* to *stop* of the object at *key*, which is as it was *seen*; they belong to *id*."""

    _bucket: ObjectBucket
    _id: ArchiveId
    _key: str
    _seen: SeenObject
    _start: int
    _stop: int
    _body: Any = field(default=None, init=False)

    @classmethod
    def of(
        cls, bucket: ObjectBucket, id: ArchiveId, key: str, seen: SeenObject, start: int = 0, stop: int | None = None
    ) -> ObjectReader:
        """A reader of a range that is clipped to the object."""
        first = min(max(start, 0), seen.size_bytes)
        last = seen.size_bytes if stop is None else min(max(stop, first), seen.size_bytes)
        return cls(bucket, id, key, seen, first, last)

    @property
    def size_bytes(self) -> int:
        return self._stop - self._start

    def __iter__(self) -> Iterator[bytes]:
        position, breaks = self._start, 0
        while position < self._stop:
            try:
                self._open(position)
                block = self._body.read(min(_BLOCK_BYTES, self._stop - position))
            except (BackendUnavailable, BotoCoreError, HTTPClientError, HTTPError, OSError) as error:
                self._let_go()
                breaks += 1
                if breaks > _BREAKS:
                    raise BackendUnavailable("store", "the connection to the object store broke") from error
                continue
            if not block:
                raise ArchiveCorrupt(self._id)
            position += len(block)
            yield block
        self._let_go()

    def at(self, position: int, count: int) -> bytes:
        """Up to *count* bytes, starting at *position*."""
        return b"".join(ObjectReader.of(self._bucket, self._id, self._key, self._seen, position, position + count))

    def _open(self, position: int) -> None:
        if self._body is None:
            try:
                self._body = self._bucket.get(self._key, position, self._stop, self._seen.etag)
            except ObjectChanged as error:
                if error.is_gone:
                    raise ArchiveNotFound(str(self._id)) from error
                raise ArchiveCorrupt(self._id) from error

    def _let_go(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            with suppress(Exception):
                body.close()

    def __enter__(self) -> ObjectReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._let_go()
