"""
Receiving an archive: the only way in, for every route.

The order of steps is the promise. Stage the bytes while hashing and inspecting them; check them against the
declaration; make them durable; claim the identity; publish; confirm; only then answer. Before publication nothing is
visible, and after the answer only the loss of the disk can lose the archive.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from attrs import frozen

from ...archives.archive import Offer
from ...errors.content import EmptyArchive
from ...ports.store import ArchiveStore, Block
from .admission import AdmissionChecks
from .begin_intake import BeginIntake
from .intake import Intake
from .outcome import Received


@frozen
class ReceiveArchive:
    """
    Store one archive, whole and checked, or leave no trace of it.

    *admission* judges the archive by its offer and by the free room.
    """

    admission: AdmissionChecks
    begin_intake: BeginIntake
    store: ArchiveStore

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
        `AdmissionChecks.offer` judged it a moment ago; it judges again in any case when all bytes have arrived.

        Blocks must not change after they were handed over. If *blocks* raises (such as `UploadInterrupted`), everything
        is dropped.

        Raises:
            TooLarge, EmptyArchive, RejectedContent, ExpandsTooFar: the bytes are not acceptable.
            DigestMismatch: the bytes are not the declared ones.
            NameConflict: other bytes are stored under this identity.
            ReceiveInProgress: another receive of this identity did not end within *patience*.
            InsufficientStorage, QuotaExceeded: the medium or the profile has no room.
        """
        with self.begin_intake.counting():
            if not was_admitted:
                self.admission.offer(offer, announced_bytes, instead_of)
            may_be_opaque = self.admission.may_be_opaque(offer)
            intake = self.begin_intake(self.store.begin(), may_be_opaque=may_be_opaque, instead_of=instead_of)
            return _received(intake, blocks, lambda: offer)


@frozen
class ReceiveLateOffer:
    """Receive first, learn the offer afterwards: a form may name the profile after the file."""

    admission: AdmissionChecks
    begin_intake: BeginIntake
    store: ArchiveStore

    def __call__(self, offered: Callable[[], Offer], blocks: Iterable[Block]) -> Received:
        """Like `ReceiveArchive`; *offered* is called after the last byte."""
        with self.begin_intake.counting():
            intake = self.begin_intake(self.store.begin(), may_be_opaque=self.admission.rules.may_allow_opaque)
            return _received(intake, blocks, offered)


def _received(intake: Intake, blocks: Iterable[Block], offered: Callable[[], Offer]) -> Received:
    with intake:
        for block in blocks:
            intake.take(block)
        if not intake.size_bytes:
            raise EmptyArchive
        return intake.complete(offered())
