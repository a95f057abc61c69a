"""
Writers of archives: straight into an object, or by way of staged segments for uploads that can be resumed.

The rule: `seal` makes the object with the bytes; `publish` puts the side-car that names it, which is what makes the
archive. Until then a note tells that the object is nobody's, and whoever leaves the writer drops it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Protocol

from attrs import define, field, frozen

from ...domain.errors.archives import AlreadyPublished
from ...domain.errors.capacity import BackendUnavailable
from ...domain.identity.archive_id import ArchiveId
from ...domain.ports.store import Block
from ...domain.tarkeep_error import TarkeepError
from .register import Loose
from .sending import Sending


@frozen
class Sealed:
    """An object with all bytes of an archive, and what is to lie beside it."""

    loose: Loose
    size_bytes: int
    sidecar: bytes
    marks: bytes | None


@frozen
class Publishing:
    """How a writer makes an archive visible; *ended* is told the receipt of a writer that was left."""

    publish: Callable[[ArchiveId, Sealed], None]
    replace: Callable[[ArchiveId, Sealed], None]
    ended: Callable[[str], None]


@define(eq=False)
class _Steps:
    """What both writers have in common: which step may follow which."""

    _publishing: Publishing
    _sealed: Sealed | None = field(default=None, init=False)
    _is_published: bool = field(default=False, init=False)
    _has_failed: bool = field(default=False, init=False)
    _is_unknown: bool = field(default=False, init=False)  # the side-car may still arrive

    def publish(self, id: ArchiveId) -> None:
        self._make_visible(id, self._publishing.publish)

    def replace(self, id: ArchiveId) -> None:
        self._make_visible(id, self._publishing.replace)

    def _make_visible(self, id: ArchiveId, name: Callable[[ArchiveId, Sealed], None]) -> None:
        with self._step():
            if self._sealed is None:
                raise ValueError("seal the archive before publishing it")
            self._is_unknown = True
            try:
                name(id, self._sealed)
            except AlreadyPublished:
                self._is_unknown = False
                raise
            self._is_published = True

    @contextmanager
    def _step(self) -> Iterator[None]:
        if self._is_published:
            raise ValueError("this archive is published")
        if self._has_failed:
            raise BackendUnavailable("store", "writing this archive failed before")
        try:
            yield
        except (AlreadyPublished, ValueError):
            raise
        except BaseException:
            self._has_failed = True
            raise


@define(eq=False)
class BucketWriter(_Steps):
    """
    An `ArchiveWriter` whose bytes go straight to the bucket.

    There they can be read only once the object has ended, and never be changed: reading them before `seal` ends it, and
    whatever changes them afterwards sends all of them again.
    """

    _send: Callable[[], Sending]
    _sending: Sending = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._sending = self._send()

    @property
    def size_bytes(self) -> int:
        return self._sending.size_bytes

    def write(self, block: Block) -> None:
        with self._step():
            self._sealed = None
            if self._sending.is_ended:
                self._send_again(self.size_bytes)
            self._sending.write(block)

    def sync(self) -> None:
        """Nothing resumes this writer, so nothing need be durable before it is sealed."""
        with self._step():
            pass

    def staged(self, start: int = 0) -> Iterator[bytes]:
        with self._step():
            if not self._sending.is_ended:
                self._sending.end()
        yield from self._sending.content(start, self.size_bytes)

    def truncate(self, size_bytes: int) -> None:
        with self._step():
            self._sealed = None
            if not self._sending.is_ended:
                self._sending.end()
            self._send_again(size_bytes)

    def _send_again(self, size_bytes: int) -> None:
        """Go on with another object, which begins with the first *size_bytes* of the one that has ended."""
        ended, self._sending = self._sending, self._send()
        for block in ended.content(0, size_bytes):
            self._sending.write(block)
        ended.give_up()
        self._publishing.ended(ended.loose.receipt)

    def seal(self, sidecar: bytes, marks: bytes | None = None) -> None:
        with self._step():
            if not self._sending.is_ended:
                self._sending.end()
            self._sealed = Sealed(self._sending.loose, self.size_bytes, bytes(sidecar), marks)

    def __enter__(self) -> BucketWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if not self._is_published and not self._is_unknown:
                self._sending.give_up()
        finally:
            self._publishing.ended(self._sending.loose.receipt)


class StagedBytes(Protocol):
    """The bytes of an upload that can be resumed, as far as they have come; methods as those of `ArchiveWriter`."""

    @property
    def size_bytes(self) -> int: ...

    def write(self, block: Block) -> None: ...

    def sync(self) -> None: ...

    def staged(self, start: int = 0) -> Iterator[bytes]: ...

    def truncate(self, size_bytes: int) -> None: ...


@define(eq=False)
class ResumedWriter(_Steps):
    """
    An `ArchiveWriter` of an upload that can be resumed: its bytes are staged, and each `seal` makes an object of all of
    them. *forget* drops what is staged once it is published, *left* is called when the writer is left.
    """

    _send: Callable[[], Sending]
    _staged: StagedBytes
    _forget: Callable[[], None]
    _left: Callable[[], None]
    _sending: Sending | None = field(default=None, init=False)

    @property
    def size_bytes(self) -> int:
        return self._staged.size_bytes

    def write(self, block: Block) -> None:
        with self._step():
            self._change()
            self._staged.write(block)

    def sync(self) -> None:
        with self._step():
            self._staged.sync()

    def staged(self, start: int = 0) -> Iterator[bytes]:
        return self._staged.staged(start)

    def truncate(self, size_bytes: int) -> None:
        with self._step():
            self._change()
            self._staged.truncate(size_bytes)

    def seal(self, sidecar: bytes, marks: bytes | None = None) -> None:
        with self._step():
            if self._sending is None:
                self._sending = self._send()
                for block in self._staged.staged():
                    self._sending.write(block)
                self._sending.end()
            self._sealed = Sealed(self._sending.loose, self.size_bytes, bytes(sidecar), marks)

    def publish(self, id: ArchiveId) -> None:
        super().publish(id)
        self._forget_staged()

    def replace(self, id: ArchiveId) -> None:
        super().replace(id)
        self._forget_staged()

    def _forget_staged(self) -> None:
        # the archive is stored and must not be reported as failed; the next sweep removes what stays here
        with suppress(TarkeepError):
            self._forget()

    def _change(self) -> None:
        """What was sealed is no longer what is to be published."""
        self._sealed, sending = None, self._sending
        self._sending = None
        if sending is not None:
            sending.give_up()
            self._publishing.ended(sending.loose.receipt)

    def __enter__(self) -> ResumedWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if not self._is_published and not self._is_unknown:
                self._change()
                with suppress(TarkeepError):
                    self._staged.sync()
            elif self._sending is not None:
                self._publishing.ended(self._sending.loose.receipt)
        finally:
            self._left()
