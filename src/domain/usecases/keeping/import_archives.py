"""
Importing the archives of another store, such as the folder of the original server.

Each archive is received like an upload, with the digest and the receive time from its old record. An archive that
cannot be accepted is reported with the reason, and the rest goes on; running again is harmless.
"""

from __future__ import annotations

from attrs import define, field, frozen

from ...archives.archive import Offer
from ...identity.archive_id import ArchiveId, BackupType
from ...identity.digests import DeclaredDigests
from ...ports.foreign import ForeignArchive, ForeignStore
from ...tarkeep_error import TarkeepError
from ..receiving.outcome import ReceiveOutcome
from ..receiving.receive import ReceiveArchive


@define
class ImportReport:
    """The result for each archive, by label: imported, already present, or refused with the reason."""

    imported: list[str] = field(factory=list)
    already_there: list[str] = field(factory=list)
    refused: list[tuple[str, str | TarkeepError]] = field(factory=list)


@frozen
class ImportFolder:
    """Receive every archive of a foreign store."""

    receive: ReceiveArchive

    def __call__(self, source: ForeignStore) -> ImportReport:
        report = ImportReport()
        for foreign in source.archives():
            if foreign.problem is not None:
                report.refused.append((foreign.label, foreign.problem))
                continue
            try:
                outcome = self._receive(foreign)
            except TarkeepError as error:
                report.refused.append((foreign.label, error))
            else:
                (report.already_there if outcome is ReceiveOutcome.DUPLICATE else report.imported).append(foreign.label)
        return report

    def _receive(self, foreign: ForeignArchive) -> ReceiveOutcome:
        offer = Offer(
            ArchiveId(foreign.profile, BackupType.parse(foreign.type), foreign.name),
            DeclaredDigests(md5=foreign.md5),
            received_at=foreign.received_at,
        )
        with foreign.open() as blocks:
            return self.receive(offer, blocks).outcome
