"""
At start, finishing what a crash interrupted in the trash: the disk follows the catalog.

An archive that the catalog shows as removed and that is still among the stored ones goes on its way if its note is
durable; without a note, or with that of an earlier removal, its removal never began, and it is shown again. One that
the catalog shows as stored leaves the trash. One that the catalog does not know at all, because the catalog was lost,
is entered as removed, unless the store still has it: then it is stored.
"""

from __future__ import annotations

from attrs import define, evolve, frozen

from ...archives.archive import ArchiveState
from ...errors.archives import ArchiveNotFound, ArchiveProtected
from ...identity.archive_id import ArchiveId
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore
from ...ports.system import Clock
from ...retention.trash_note import is_purged
from .trash import archive_in, is_stored
from .undelete import WayBack


@define
class SettledTrash:
    """How many archives were moved on into the trash, brought back out of it, and entered into the catalog."""

    trashed: int = 0
    restored: int = 0
    entered: int = 0


@frozen
class SettleTrash:
    """Run at start, before `AdoptArchives`."""

    store: ArchiveStore
    catalog: Catalog
    clock: Clock
    way_back: WayBack

    def __call__(self) -> SettledTrash:
        report = SettledTrash()
        removed = {archive.id: archive for archive in self.catalog.trashed()}
        for trashed in self.store.trashed():
            known = removed.pop(trashed.id, None)
            if known is None:
                self._settle_unknown(trashed.id, report)
                if (archive := archive_in(trashed)) is not None and not is_stored(trashed.id, self.store):
                    report.entered += self.catalog.adopt([evolve(archive, state=ArchiveState.TRASHED)])
            elif is_stored(trashed.id, self.store):
                if is_purged(trashed.note):  # the note is of an earlier removal: the new one never began
                    self._show(trashed.id, report)
                else:
                    self._go_on(trashed.id, trashed.note, report)
        for id in removed:  # the trash has nothing of them
            if is_stored(id, self.store):
                self._show(id, report)
            else:
                self.catalog.forget(id)
        return report

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

    def _go_on(self, id: ArchiveId, note: bytes | None, report: SettledTrash) -> None:
        if note is not None:
            try:
                self.store.trash(id, note, self.clock.now())
            except ArchiveProtected:  # it was marked meanwhile
                pass
            else:
                report.trashed += 1
                return
        self.store.untrash(id)
        self._show(id, report)

    def _show(self, id: ArchiveId, report: SettledTrash) -> None:
        self.way_back.learn(id)  # it may have been on its way back, with a side-car that is junk
        self.way_back.show(id)
        report.restored += 1
