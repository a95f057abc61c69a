"""
Receiving an archive: the only way in, for every route.

The order of steps is the promise. Stage the bytes while hashing and inspecting them; check them against the
declaration; make them durable; claim the identity; publish; confirm; only then answer. Before publication nothing is
visible, and after the answer only the loss of the disk can lose the archive.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack

from attrs import frozen

from ...archives.archive import Offer
from ...archives.block_sums import RunningSums
from ...errors.content import EmptyArchive
from ...ports.inspection import Hasher, Inspector
from ...ports.members import MemberRecords
from ...ports.store import ArchiveStore, ArchiveWriter, Block
from ...ports.sums import ArchiveSums
from ..reading.watched_records import WatchedRecords
from .admission import AdmitOffer
from .intake import Intake
from .outcome import Received
from .settle import StoreArchive


@frozen
class ReceiveArchive:
    """
    Store one archive, whole and checked, or leave no trace of it.

    *admit* judges the archive by its offer and by the free room, *settle* stores it once it has arrived.
    """

    admit: AdmitOffer
    settle: StoreArchive
    store: ArchiveStore
    hasher: Hasher
    inspector: Inspector
    records: MemberRecords
    sums: ArchiveSums

    def __call__(
        self,
        offer: Offer,
        blocks: Iterable[Block],
        announced_bytes: int = 0,
        instead_of: Collection[str] = (),
        *,
        was_admitted: bool = False,
    ) -> Received:
        """
        Receive *blocks*, of any length, as the archive described by *offer*; *announced_bytes* is 0 if unknown.

        The archive replaces the uploads *instead_of*, which then do not count toward a quota. *was_admitted* means that
        `admit` judged the offer a moment ago; it judges again in any case when all bytes have arrived.

        Blocks must not change after they were handed over. If *blocks* raises (such as `UploadInterrupted`), everything
        is dropped.

        Raises:
            TooLarge, EmptyArchive, RejectedContent, ExpandsTooFar: the bytes are not acceptable.
            DigestMismatch: the bytes are not the declared ones.
            NameConflict: other bytes are stored under this identity.
            ReceiveInProgress: another receive of this identity did not end within *patience*.
            InsufficientStorage, QuotaExceeded: the medium or the profile has no room.
        """
        if not was_admitted:
            self.admit(offer, announced_bytes, instead_of)
        return self._receive(lambda: offer, blocks, self.admit.may_be_opaque(offer), instead_of)

    def with_late_offer(self, offered: Callable[[], Offer], blocks: Iterable[Block]) -> Received:
        """Receive first, learn the offer afterwards: *offered* is called after the last byte."""
        return self._receive(offered, blocks, self.admit.rules.may_allow_opaque)

    def _receive(
        self,
        offered: Callable[[], Offer],
        blocks: Iterable[Block],
        may_be_opaque: bool,
        instead_of: Collection[str] = (),
    ) -> Received:
        with self.begin(self.store.begin(), may_be_opaque=may_be_opaque, instead_of=instead_of) as intake:
            for block in blocks:
                intake.take(block)
            if not intake.size_bytes:
                raise EmptyArchive
            return intake.complete(offered())

    def begin(self, writer: ArchiveWriter, *, may_be_opaque: bool = False, instead_of: Collection[str] = ()) -> Intake:
        """
        Begin an archive that comes in piece by piece, staged by *writer*, which the intake closes.

        *may_be_opaque* postpones the refusal of unreadable bytes until the profile is known. *instead_of* is as for
        calling.
        """
        with ExitStack() as held:
            held.enter_context(writer)
            digests = held.enter_context(self.hasher.start())
            recording = held.enter_context(WatchedRecords(self.records))
            inspection = held.enter_context(self.inspector.start(recording.write))
            sums = RunningSums(self.hasher.crc32)
            inside = held.pop_all()
            return Intake(
                self.admit,
                self.settle,
                self.sums,
                writer,
                digests,
                sums,
                recording,
                inspection,
                inside,
                may_be_opaque,
                instead_of,
            )
