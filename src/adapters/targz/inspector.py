"""
The inspector: gzip and tar validated while the bytes pass, at the speed of inflating.

Blocks are cut again into chunks at fixed positions of the file before they are inspected, so a verdict cannot depend on
how they arrived. Once an upload is long enough to be worth it, and the budget has a thread left, the work moves to a
thread a few blocks behind the caller: inflating releases the GIL, so it runs beside hashing and writing.

Damage to the gzip is reported before damage to the tar: a flipped bit causes both, and only the former tells the client
to send the archive again. So an error in the tar is held back until its gzip member has proven whole.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from attrs import field, frozen

from ...domain.archives.archive import Contents, Kind
from ...domain.errors.content import EmptyArchive, ExpandsTooFar, NotATar
from ...domain.ports.inspection import Recorder, RunningInspection
from ...domain.ports.store import Block
from ...domain.text.paths import path_text
from ...domain.text.times import utc_from_timestamp
from ..process.background import THREAD_FROM_BYTES, BackgroundConsumer, ThreadBudget
from .deflate import FASTEST, InflateEngine
from .gzip_stream import GzipStream
from .limits import InspectionLimits
from .tar_walk import TarWalk

__all__ = ["InspectionLimits", "NoInspector", "TargzInspector"]

CHUNK_BYTES = 256 << 10


@frozen
class TargzInspector:
    """
    An `Inspector` that inflates with *engine*.

    A running inspection holds at most the blocks in its queue, one chunk of compressed and one piece of inflated bytes.
    """

    engine: InflateEngine = FASTEST
    limits: InspectionLimits = field(factory=InspectionLimits)
    budget: ThreadBudget = field(factory=ThreadBudget)

    def start(self, recorder: Recorder | None = None) -> RunningInspection:
        return _Running(_Pass(self.engine, self.limits, recorder), self.budget)


@frozen
class NoInspector:
    """An `Inspector` that inspects nothing, for disabled validation; it refuses only an empty archive."""

    def start(self, recorder: Recorder | None = None) -> RunningInspection:  # noqa: ARG002  # nothing is recorded
        return _NotLooking()


class _NotLooking:
    def __init__(self) -> None:
        self._seen_bytes = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def feed(self, block: Block) -> None:
        self._seen_bytes = self._seen_bytes or len(block) > 0

    def pause(self) -> None:
        """Does nothing: it holds no thread."""

    def finish(self) -> None:
        if not self._seen_bytes:
            raise EmptyArchive


class _Running:
    """An inspection that moves to a thread of its own once it is worth it and the budget has one."""

    def __init__(self, inspection: _Pass, budget: ThreadBudget) -> None:
        self._inspection = inspection
        self._budget = budget
        self._bytes_until_thread = THREAD_FROM_BYTES
        self._beside: BackgroundConsumer | None = None
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inspection.abandoned = True
        if self._beside is not None:
            self._beside.close()

    def feed(self, block: Block) -> None:
        if self._failure is not None:
            raise self._failure
        if self._beside is not None:
            self._beside.put(block)
            return
        try:
            self._inspection.take(block)
        except BaseException as error:
            self._failure = error
            raise
        self._bytes_until_thread -= len(block)
        if self._bytes_until_thread <= 0:
            self._beside = self._budget.beside(self._inspection.take, name="inspection")

    def pause(self) -> None:
        beside, self._beside = self._beside, None
        if beside is not None:
            try:
                beside.finish()
            except BaseException as error:
                self._failure = error
                raise
            finally:
                beside.close()

    def finish(self) -> Contents:
        if self._failure is not None:
            raise self._failure
        if self._beside is not None:
            self._beside.finish()
        return self._inspection.finish()


class _Pass:
    """One file through gzip and tar, without a thread."""

    def __init__(self, engine: InflateEngine, limits: InspectionLimits, recorder: Recorder | None) -> None:
        self.abandoned = False  # set by another thread to make `take` return soon
        self._limits = limits
        self._gzip = GzipStream(engine)
        self._tar = TarWalk(limits, recorder)
        self._held = bytearray()  # the beginning of a chunk
        self._unpacked_bytes = 0
        self._not_a_tar: NotATar | None = None
        self._member_of_error = 0  # gzip members that were whole at the first error in the tar

    def take(self, block: Block) -> None:
        view = memoryview(block).cast("B")
        position = 0
        if self._held:
            position = CHUNK_BYTES - len(self._held)
            self._held += view[:position]
            if len(self._held) < CHUNK_BYTES:
                return
            self._inspect(memoryview(self._held))
            self._held = bytearray()
        while len(view) - position >= CHUNK_BYTES:
            self._inspect(view[position : position + CHUNK_BYTES])
            position += CHUNK_BYTES
        self._held += view[position:]

    def finish(self) -> Contents:
        self._inspect(memoryview(self._held))
        if not self._gzip.read_bytes:
            raise EmptyArchive
        self._gzip.finish()
        if self._not_a_tar is not None:
            raise self._not_a_tar
        self._tar.finish()
        newest = self._tar.newest_mtime
        return Contents(
            kind=Kind.INCREMENTAL if self._tar.incremental else Kind.PLAIN,
            members=self._tar.members,
            unpacked_bytes=self._unpacked_bytes,
            newest_member=None if newest is None else utc_from_timestamp(newest),
            has_unchanged=self._tar.unchanged > 0,
            roots=tuple(path_text(root) for root in self._tar.roots),
            after_end=self._tar.after_end,
            listed=self._tar.listed if self._tar.incremental else None,
            unchanged=self._tar.unchanged if self._tar.incremental else None,
        )

    def _inspect(self, chunk: memoryview) -> None:
        if self.abandoned:
            return
        for piece in self._gzip.inflate(chunk):
            if self.abandoned:
                return
            self._unpacked_bytes += len(piece)
            if self._unpacked_bytes > self._limits.max_unpacked_bytes:
                raise ExpandsTooFar("max_unpacked_bytes", self._limits.max_unpacked_bytes)
            if self._not_a_tar is None:
                try:
                    self._tar.feed(piece)
                except NotATar as error:
                    self._not_a_tar = error
                    self._member_of_error = self._gzip.whole_members
        if self._not_a_tar is not None and self._gzip.whole_members > self._member_of_error:
            raise self._not_a_tar
