"""An archive that is being received: staged, hashed and inspected, over any number of requests."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import ExitStack
from typing import TypeVar

from attrs import define

from ...archives.archive import Contents, Kind, Offer
from ...archives.block_sums import BLOCK_BYTES, RunningSums
from ...errors.content import NotAGzip, NotATar, RejectedContent
from ...identity.digests import Digests
from ...ports.inspection import RunningDigests, RunningInspection
from ...ports.members import RecordsWriter
from ...ports.store import ArchiveWriter, Block
from ...ports.sums import ArchiveSums
from ...ports.upkeep.figures import Tally
from .admission import AdmissionChecks
from .outcome import Received, ReceiveOutcome
from .settle import StoreArchive

Looked = TypeVar("Looked")

ROOM_BYTES = 8 << 20
"""Free space is checked again after each run of this many bytes."""


def _nothing(_digests: Digests) -> None:
    """For receives that note nothing of their digests."""


@define(eq=False)
class Intake:
    """
    An archive that is being received: staged, hashed and inspected up to `size_bytes`, by one thread at a time.

    Leaving the context releases all resources; the writer decides what stays in staging.
    """

    _admission: AdmissionChecks
    _settle: StoreArchive
    _kept_sums: ArchiveSums
    writer: ArchiveWriter
    _digests: RunningDigests
    _sums: RunningSums
    _recording: RecordsWriter
    _inspection: RunningInspection
    _held: ExitStack
    _may_be_opaque: bool
    _instead_of: Collection[str] = ()
    _tally: Tally | None = None
    _seen_bytes: int = 0
    _unreadable: RejectedContent | None = None  # why it cannot be read, if it may be opaque

    @property
    def size_bytes(self) -> int:
        """The number of bytes staged."""
        return self.writer.size_bytes

    @property
    def has_seen_all(self) -> bool:
        """Whether all staged bytes were inspected."""
        return self._seen_bytes == self.size_bytes

    def take(self, block: Block) -> None:
        """
        Take the next bytes; they must not change afterwards.

        Raises:
            TooLarge, RejectedContent, ExpandsTooFar: the bytes are not acceptable.
            InsufficientStorage: the medium has no room for them.
        """
        self._check_room(len(block))
        self._look_at(block)
        self.writer.write(block)

    def stage_unseen(self, block: Block) -> None:
        """Stage the next bytes uninspected: `inspect_staged` inspects them, unless the writer is truncated first."""
        self._check_size(self.size_bytes + len(block))
        self._check_room(len(block))
        self.writer.write(block)

    def inspect_staged(self) -> None:
        """Inspect the staged bytes that were not inspected yet. Raises like `take`."""
        for block in self.writer.staged(self._seen_bytes):
            self._look_at(block)

    def pause(self) -> None:
        """Hold no thread until the next bytes come. Raises like `take`."""
        self._inspect(self._inspection.pause)
        self._digests.pause()

    def complete(self, offer: Offer, beforehand: Callable[[Digests], None] = _nothing) -> Received:
        """Store the complete archive, as `ReceiveArchive` does. *beforehand* is called with its digests."""
        digests, contents = self._digests.finish(), self._inspect(self._inspection.finish)
        if self._unreadable is not None:
            if not self._admission.may_be_opaque(offer):
                raise self._unreadable
            contents = Contents(Kind.OPAQUE, members=0, unpacked_bytes=0)
        beforehand(digests)
        received = self._settle(offer, self.writer, digests, contents, self._recording, self._instead_of)
        if self._tally is not None:
            self._tally.received(received.outcome.value)
        if received.outcome is not ReceiveOutcome.DUPLICATE and self.size_bytes > BLOCK_BYTES:
            self._kept_sums.put(digests.sha256, self._sums.finish())
        return received

    def _look_at(self, block: Block) -> None:
        self._check_size(self._seen_bytes + len(block))
        # first the two that may run in other threads, so that they work while this one writes
        self._inspect(lambda: self._inspection.feed(block))
        self._digests.update(block)
        self._sums.update(block)
        self._seen_bytes += len(block)

    def _check_room(self, length: int) -> None:
        # bytes taken by concurrent receives are seen by each of them soon enough
        if self.size_bytes // ROOM_BYTES != (self.size_bytes + length) // ROOM_BYTES or not self.size_bytes:
            self._admission.room(length)

    def _inspect(self, look: Callable[[], Looked]) -> Looked | None:
        """
        *look* at the bytes, unless they are known to be unreadable.

        A damaged gzip, or a tar that breaks off after a good beginning, is never accepted as opaque.
        """
        if self._unreadable is not None:
            return None
        try:
            return look()
        except (NotAGzip, NotATar) as refusal:
            begins_as_one = refusal.begins_as_one if isinstance(refusal, NotATar) else refusal.offset > 0
            if not self._may_be_opaque or begins_as_one:
                raise
            self._unreadable = refusal
            return None

    def _check_size(self, size_bytes: int) -> None:
        self._admission.size(size_bytes)

    def close(self) -> None:
        """Release all resources."""
        self._held.close()

    def __enter__(self) -> Intake:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
