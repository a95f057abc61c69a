"""
The bytes of one archive on their way into an object of their own.

Less than a part is one PUT at the end; more goes in parts of one length, as some object stores ask for. The rules:
numbers and ETags of parts are remembered here and never asked for; and an upload whose end may have been asked for is
never aborted, since some object stores then answer with an object that cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from attrs import define, evolve, field

from ...domain.errors.capacity import BackendUnavailable
from ...domain.ports.store import Block
from ...domain.tarkeep_error import TarkeepError
from .bucket.client import translated
from .bucket.objects import ObjectBucket, ObjectChanged, SentPart
from .register import Loose, Register

MAX_PARTS = 10_000
_BLOCK_BYTES = 1 << 20


@define(eq=False)
class Sending:
    """
    Sends one object, for one thread at a time. *loose* is the note on it, which is kept before anything is sent.

    After an error the object cannot be ended any more, and is given up.
    """

    _bucket: ObjectBucket
    _register: Register
    _part_bytes: int
    loose: Loose
    size_bytes: int = 0
    is_ended: bool = False
    _buffer: bytearray = field(factory=bytearray, init=False)
    _parts: list[SentPart] = field(factory=list, init=False)

    @classmethod
    def begun(cls, bucket: ObjectBucket, register: Register, part_bytes: int, loose: Loose) -> Sending:
        """Begin to send the object that *loose* describes."""
        register.keep(loose)
        return cls(bucket, register, part_bytes, loose)

    def write(self, block: Block) -> None:
        """Append *block*."""
        rest = memoryview(block).cast("B")
        self.size_bytes += len(rest)
        while rest:
            taken = rest[: self._part_bytes - len(self._buffer)]
            self._buffer += taken
            rest = rest[len(taken) :]
            # the last part is held back, since it may be shorter, and may be all there is
            if len(self._buffer) == self._part_bytes and rest:
                self._send_part()

    def end(self) -> None:
        """Make the object, durably, and check its length."""
        if self.loose.upload:
            self._send_part()
            self._note(evolve(self.loose, is_ending=True))
            self._bucket.complete(self.loose.key, self.loose.upload, self._parts)
            seen = self._bucket.head(self.loose.key)
            if seen is None or seen.size_bytes != self.size_bytes:
                raise BackendUnavailable("store", "the object store kept another number of bytes than it was sent")
        else:
            self._bucket.put(self.loose.key, bytes(self._buffer))
        self.is_ended = True

    def content(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from *start* to *stop* of the object, which has ended, in blocks of at most 1 MiB."""
        seen = self._bucket.head(self.loose.key)
        if seen is None:
            raise BackendUnavailable("store", "what was sent to the bucket is gone")
        try:
            position = start
            while position < stop:
                until = min(position + _BLOCK_BYTES, stop)
                with self._bucket.get(self.loose.key, position, until, seen.etag) as body, translated():
                    yield body.read()
                position = until
        except ObjectChanged as error:
            raise BackendUnavailable("store", "what was sent to the bucket is gone") from error

    def _send_part(self) -> None:
        if not self.loose.upload:
            self._note(evolve(self.loose, upload=self._bucket.begin_parts(self.loose.key)))
        number = len(self._parts) + 1
        if number > MAX_PARTS:
            limit = MAX_PARTS * self._part_bytes
            raise BackendUnavailable("store", f"an archive has more than {limit} bytes; max_upload_bytes is to say so")
        self._parts.append(self._bucket.put_part(self.loose.key, self.loose.upload, number, bytes(self._buffer)))
        self._buffer.clear()

    def _note(self, loose: Loose) -> None:
        self._register.keep(loose)
        self.loose = loose

    def give_up(self) -> None:
        """Drop what was sent, as far as that is possible now; the note stays for what is left."""
        with suppress(TarkeepError):
            drop(self._bucket, self.loose)
            if self.is_ended or not self.loose.is_ending:
                self._register.drop(self.loose.receipt)


def drop(bucket: ObjectBucket, loose: Loose) -> None:
    """Drop the object, which no side-car names, or the upload that no end was asked for."""
    if loose.upload and not loose.is_ending:
        bucket.abort(loose.key, loose.upload)
    else:
        bucket.delete(loose.key)
