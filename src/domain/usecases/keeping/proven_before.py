"""
What a lost catalog knew of scrubs and drills, taken from the evidence.

The rule: what is doubtful is not taken. Then an archive is read again, or a point drilled again, sooner than necessary;
the other way round something would count as proven that is not. So nothing is taken from evidence whose chain is
broken, nor of bytes that were received since, nor in place of something newer.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from attrs import evolve, frozen

from ...archives.archive import ArchiveState
from ...drills.drill import Drill, DrillKind, DrillOutcome, DrillReport
from ...errors.archives import ArchiveNotFound
from ...evidence.entry import EvidenceEntry, EvidencePlace, checked, entry_of
from ...evidence.facts import drill_in, read_in, short
from ...identity.archive_id import ArchiveId
from ...ports.upkeep.drills import DrillTable
from ...ports.upkeep.evidence import EvidenceLog
from ...ports.upkeep.scrubs import ScrubTable
from ...scrubbing.unread import FoundRight

_AT_ONCE = 500


@frozen
class Recalled:
    """How many archives and drills were taken from the evidence; or that nothing was, since it is *broken* there."""

    archives: int = 0
    drills: int = 0
    broken: EvidencePlace | None = None


@frozen
class RecallProofs:
    """Note in the catalog what the evidence says was read right, and what was drilled."""

    evidence: EvidenceLog
    scrubs: ScrubTable
    drills: DrillTable

    def __call__(self) -> Recalled:
        """
        What was noted; archives and drills of which something newer is known stay as they are.

        Raises:
            BackendUnavailable, CatalogBusy: the evidence cannot be read, or the catalog not written.
        """
        broken = checked((month, self.evidence.read(month)) for month in self.evidence.months()).broken
        if broken is not None:
            return Recalled(broken=broken)
        read: dict[ArchiveId, tuple[str, datetime]] = {}
        drilled: dict[tuple[DrillKind, str], Drill] = {}
        for entry in self._entries():
            for id, digest, since in read_in(entry):
                read[id] = digest, since
            drill = drill_in(entry)
            if drill is not None:
                drilled[drill.kind, drill.profile] = drill
        return Recalled(self._note_read(read), self._note_drilled(drilled))

    def _entries(self) -> Iterator[EvidenceEntry]:
        for month in self.evidence.months():
            for line in self.evidence.read(month):
                entry = entry_of(line)
                if entry is not None:
                    yield entry

    def _note_read(self, read: dict[ArchiveId, tuple[str, datetime]]) -> int:
        found: list[FoundRight] = []
        noted = 0
        for id, (digest, since) in read.items():
            try:
                known = self.scrubs.find(id)
            except ArchiveNotFound:
                continue
            archive = known.archive
            is_newer = known.verified_at is None or known.verified_at < since
            if archive.state is not ArchiveState.STORED or not is_newer:
                continue
            if short(archive.digests.sha256) == digest and archive.received_at <= since:
                found.append(FoundRight(archive, since))
            if len(found) == _AT_ONCE:
                noted += len(found)
                self.scrubs.note_right(found)
                found = []
        self.scrubs.note_right(found)
        return noted + len(found)

    def _note_drilled(self, drilled: dict[tuple[DrillKind, str], Drill]) -> int:
        noted = 0
        latest = {kind: self.drills.latest(kind) for kind in DrillKind}
        for (kind, profile), drill in drilled.items():
            known = latest[kind].get(profile)
            if known is not None and known.started_at >= drill.started_at:
                continue
            opened = evolve(drill, outcome=DrillOutcome.OPEN, ended_at=None, report=DrillReport())
            self.drills.begin(opened)
            self.drills.end(drill)
            noted += 1
        return noted
