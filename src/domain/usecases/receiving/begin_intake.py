"""Beginning to receive an archive: everything that its bytes are handed to, in one intake."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager

from attrs import frozen

from ...archives.block_sums import RunningSums
from ...ports.inspection import Hasher, Inspector
from ...ports.members import MemberRecords
from ...ports.store import ArchiveWriter
from ...ports.sums import ArchiveSums
from ...ports.upkeep.figures import Tally
from ..reading.watched_records import WatchedRecords
from .admission import AdmissionChecks
from .intake import Intake
from .outcome import became_of
from .settle import StoreArchive


@frozen
class BeginIntake:
    """Begin an archive that comes in piece by piece; *settle* stores it once it has arrived."""

    admission: AdmissionChecks
    settle: StoreArchive
    hasher: Hasher
    inspector: Inspector
    records: MemberRecords
    sums: ArchiveSums
    tally: Tally | None = None

    def __call__(
        self, writer: ArchiveWriter, *, may_be_opaque: bool = False, instead_of: Collection[str] = ()
    ) -> Intake:
        """
        An intake that stages the archive with *writer*, which it closes.

        *may_be_opaque* postpones the refusal of unreadable bytes until the profile is known. *instead_of* is as for
        `ReceiveArchive`.
        """
        with ExitStack() as held:
            held.enter_context(writer)
            digests = held.enter_context(self.hasher.start())
            recording = held.enter_context(WatchedRecords(self.records))
            inspection = held.enter_context(self.inspector.start(recording.write))
            sums = RunningSums(self.hasher.crc32)
            inside = held.pop_all()
            return Intake(
                self.admission,
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
                self.tally,
            )

    @contextmanager
    def counting(self) -> Iterator[None]:
        """A receive, which is counted if it does not end with a stored archive; the intake counts the others."""
        try:
            yield
        except Exception as error:
            self.broke_off(error)
            raise

    def broke_off(self, error: Exception) -> None:
        """Count an archive that *error* kept from being stored."""
        if self.tally is not None:
            self.tally.received(became_of(error))
