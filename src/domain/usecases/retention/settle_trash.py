"""
At start, finishing what a crash interrupted in the trash: the disk follows the catalog.

An archive that the catalog shows as removed and that is still among the stored ones goes on its way if its note is
durable; without a note, or with that of an earlier removal, its removal never began, and it is shown again. One that
the catalog shows as stored leaves the trash. One that the catalog does not know at all, because the catalog was lost,
is entered as removed, unless the store still has it: then it is stored.

The audit log follows, too. A move is put on record after its note is durable and before the archive leaves the store:
so only what is in both places, and what is shown again, may lack a line. The evidence has one line for a whole run,
written at its end: of what a run had removed before it was killed it gets a line here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby

from attrs import define, evolve, field, frozen

from ...access.audit import HOST, AuditEntry
from ...access.on_record import BACK, COMES_AND_GOES, MOVED, PURGED, moved
from ...archives.archive import ArchiveState
from ...errors.archives import ArchiveNotFound, ArchiveProtected
from ...identity.archive_id import ArchiveId
from ...ports.access import AuditLog
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore, TrashedArchive
from ...ports.system import Clock, NameLocks
from ...ports.upkeep.evidence import EvidenceLog
from ...retention.trash_note import TrashNote, is_purged
from ...tarkeep_error import TarkeepError
from ..access.untold_removals import put_untold_removals_on_record
from .trash import archive_in, is_removal, is_stored, note_on, purge_is_told
from .undelete import WayBack


@define
class SettledTrash:
    """
    How many archives were moved on into the trash, brought back out of it, and entered into the catalog.

    *off_record* says for which of them the audit log could not be written, and why; *unproven* why what a run removed
    that was cut off is not in the evidence, empty if it is.
    """

    trashed: int = 0
    restored: int = 0
    entered: int = 0
    off_record: list[str] = field(factory=list)
    unproven: str = ""


@frozen
class SettleTrash:
    """Run at start, before `AdoptArchives`."""

    store: ArchiveStore
    catalog: Catalog
    clock: Clock
    way_back: WayBack
    audit: AuditLog
    evidence: EvidenceLog
    names: NameLocks

    def __call__(self) -> SettledTrash:
        report = SettledTrash()
        lost = {archive.id for archive in self.catalog.trashed()}
        notes: list[TrashNote] = []
        for profile, found in groupby(self.store.trashed(), lambda trashed: trashed.id.profile):
            with self.names.hold_profile(profile):  # another server may be at it
                each = list(found)
                lost.difference_update(trashed.id for trashed in each)
                hidden = self._hidden(profile, each)
                for trashed in each:
                    notes += self._settled(trashed, report, is_hidden=trashed.id in hidden)
        for id in sorted(lost):
            with self.names.hold_profile(id.profile):
                self._settle_lost(id, report)
        self._prove(notes, report)
        return report

    def _hidden(self, profile: str, each: Iterable[TrashedArchive]) -> set[ArchiveId]:
        """Those of *each* that the catalog shows as removed."""
        hidden: set[ArchiveId] = set()
        for type, some in groupby((trashed.id for trashed in each), lambda id: id.type):
            found = self.catalog.removed(profile, type, [id.name for id in some])
            hidden.update(ArchiveId(profile, type, entry.name) for entry in found)
        return hidden

    def _settled(self, trashed: TrashedArchive, report: SettledTrash, *, is_hidden: bool) -> Iterator[TrashNote]:
        """Settle what the trash has of one archive; the note, if it is of a removal that has come to its end."""
        if self.store.note(trashed.id) != trashed.note:  # seen before its profile was held
            return
        self._finish_line_of_purge(trashed, report)
        is_gone = True
        if not is_hidden:
            self._settle_unknown(trashed.id, report)
            is_gone = not is_stored(trashed.id, self.store)
            if (archive := archive_in(trashed)) is not None and is_gone:
                report.entered += self.catalog.adopt([evolve(archive, state=ArchiveState.TRASHED)])
        elif is_stored(trashed.id, self.store):
            is_gone = False
            if is_purged(trashed.note):  # the note is of an earlier removal: the new one never began
                self._show(trashed.id, report)
            else:
                is_gone = self._go_on(trashed, report)
        note = note_on(trashed)
        if note is not None and is_removal(note, trashed, is_gone=is_gone):
            yield note

    def _settle_lost(self, id: ArchiveId, report: SettledTrash) -> None:
        """Show an archive that the trash has nothing of, or forget it."""
        if self.store.note(id) is not None or not self.catalog.removed(id.profile, id.type, [id.name]):
            return  # another server removed it, or brought it back, since it was looked for
        if is_stored(id, self.store):
            self._show(id, report)
        else:
            self.catalog.forget(id)

    def _prove(self, notes: Sequence[TrashNote], report: SettledTrash) -> None:
        try:
            put_untold_removals_on_record(notes, self.evidence, self.clock.now())
        except TarkeepError as error:
            report.unproven = str(error)

    def _settle_unknown(self, id: ArchiveId, report: SettledTrash) -> None:
        """Take an archive out of the trash that the catalog shows as stored, or that the store has anyway."""
        try:
            self.catalog.find(id)
        except ArchiveNotFound:
            if not is_stored(id, self.store):
                return
        try:
            self.store.untrash(id)
        except ArchiveNotFound:  # purged, and the name was used again
            return
        report.restored += 1
        self._take_back(id, report)

    def _go_on(self, trashed: TrashedArchive, report: SettledTrash) -> bool:
        """Whether the archive is in the trash now."""
        id = trashed.id
        if trashed.note is not None:
            try:
                self.store.trash(id, trashed.note, self.clock.now(), partial(self._put_on_record, trashed, report))
            except ArchiveProtected:  # it was marked meanwhile
                pass
            else:
                report.trashed += 1
                return True
        self.store.untrash(id)
        self._show(id, report)
        return False

    def _show(self, id: ArchiveId, report: SettledTrash) -> None:
        self.way_back.learn(id)  # it may have been on its way back, with a side-car that is junk
        self.way_back.show(id)
        report.restored += 1
        self._take_back(id, report)

    # -- the audit log -----------------------------------------------------------------------------------------------

    def _put_on_record(self, trashed: TrashedArchive, report: SettledTrash) -> None:
        """Enter the line that says that an archive is in the trash, unless the log ends with it."""
        note = note_on(trashed)
        if note is None:
            return
        newest = self._newest(note.id)
        # a line is written after its note: an older one is of an earlier removal, whose end may not be on record
        if newest is None or not newest.result.startswith(MOVED) or newest.at < note.trashed_at:
            result = moved("plan", note.plan, note.reasons)
            self._enter(note.id, note.who, note.digests.sha256, result, report)

    def _finish_line_of_purge(self, trashed: TrashedArchive, report: SettledTrash) -> None:
        """Enter the line that says that an archive is gone for good, if the server died as it began to remove it."""
        if not is_purged(trashed.note) or (trashed.size_bytes is None and not trashed.has_remains):
            return
        if not purge_is_told(trashed.id, self.audit):
            self._enter(trashed.id, HOST, None, f"{PURGED} by the job purge", report)

    def _take_back(self, id: ArchiveId, report: SettledTrash) -> None:
        """Have the log not end with a line that says that a stored archive is in the trash."""
        newest = self._newest(id)
        if newest is not None and newest.result.startswith(MOVED):
            self._enter(id, HOST, None, f"{BACK} when the server started", report)

    def _newest(self, id: ArchiveId) -> AuditEntry | None:
        return self.audit.newest(str(id), COMES_AND_GOES)

    def _enter(self, id: ArchiveId, who: str | None, sha256: str | None, result: str, report: SettledTrash) -> None:
        try:
            self.audit.append(AuditEntry(self.clock.now(), who, "", str(id), sha256, result))
        except TarkeepError as error:  # it is so all the same
            report.off_record.append(f"{id}: {error}")
