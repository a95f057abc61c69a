"""
Bringing archives back from the trash, with what they build on.

The files move first, then the catalog shows the archive. If the catalog fails between the two, the archive is whole and
hidden: it is remembered, and shown as soon as the catalog can.
"""

from __future__ import annotations

from contextlib import suppress

from attrs import define, field, frozen

from ...archives import sidecar
from ...archives.archive import ArchiveState, BackupArchive
from ...chains.removed_base import removed_base
from ...chains.standing import ObstacleKind, PlacedArchive
from ...errors.archives import AlreadyPublished, InvalidSidecar, NameConflict
from ...errors.retention import NotInTrash
from ...identity.archive_id import ArchiveId
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore, StoredArchive
from ...ports.system import NameLocks
from ...profiles.rules import Rules
from ...retention.trash_note import is_purged
from ...tarkeep_error import TarkeepError
from ..reading.examiner import Examiner
from ..reading.mend_sidecar import MendSidecar
from .trash import is_in_trash, is_stored, note_of


@define(eq=False)
class HiddenArchives:
    """Archives that the store has and the catalog hides, because it failed after they moved. For any thread."""

    _ids: set[ArchiveId] = field(factory=set)

    def add(self, id: ArchiveId) -> None:
        """Remember *id*."""
        self._ids.add(id)

    def take(self) -> list[ArchiveId]:
        """All of them, in order; they are forgotten."""
        taken = sorted(self._ids)
        self._ids.difference_update(taken)
        return taken


@frozen
class WayBack:
    """
    Brings archives back from the trash, each after what it builds on.

    No use case: an undelete and a receive use it. The caller holds the profile, so that no plan is carried out
    meanwhile: what an archive builds on would go, or has just gone, while it comes back.
    """

    store: ArchiveStore
    catalog: Catalog
    rules: Rules
    hidden: HiddenArchives
    mend: MendSidecar
    examiner: Examiner

    def bring(self, id: ArchiveId) -> tuple[ArchiveId, ...]:
        """As `Undelete`."""
        if self.show_again(id):  # an earlier call failed when the files had moved
            return (id,)
        way = self._way(id)
        for one in way:
            try:
                self._untrash(one)
            except NameConflict:
                raise
            except TarkeepError:
                if is_stored(one, self.store):  # its files had moved: the catalog follows the disk
                    self.show(one)
                raise
            self.learn(one)
            self.show(one)
            self._look_at(one)
        return way

    def _look_at(self, id: ArchiveId) -> None:
        """Note that *id* is damaged if it came back shorter or longer than it was."""
        with suppress(TarkeepError):  # it is back all the same; whoever reads it finds out what is wrong with it
            self.examiner.is_there(self.catalog.find(id))

    def _untrash(self, id: ArchiveId) -> None:
        try:
            self.store.untrash(id)
        except AlreadyPublished:  # somebody laid a file there, of which the catalog shows nothing
            raise NameConflict(id, None) from None

    def learn(self, id: ArchiveId) -> None:
        """
        Have the catalog know all that is known of *id*, which the store has and the catalog still hides.

        A side-car that is not credible is made anew, as a rebuild does. While it lay in the trash a catalog that was
        made anew knew of such an archive no more than its note says.
        """
        with suppress(TarkeepError):  # it is back all the same; a rebuild says what is wrong with it
            stored = self.store.stat(id)
            archive = _described(stored) or self.mend(stored).archive
            known = self.catalog.neighbours(id.profile).named(id)
            if known is None or (known.contents, known.lineage) != (archive.contents, archive.lineage):
                self.catalog.forget(id)
                self.catalog.adopt([archive])

    def show_again(self, id: ArchiveId) -> bool:
        """Show *id* if the store has it and the catalog hides it. Returns whether that was so."""
        if not self.catalog.removed(id.profile, id.type, [id.name]) or not is_stored(id, self.store):
            return False
        note = self.store.note(id)
        if note is not None and not is_purged(note):  # its move to the trash ended early
            self._untrash(id)
        self.learn(id)
        self.show(id)
        return True

    def show(self, id: ArchiveId, state: ArchiveState | None = None) -> None:
        """Have the catalog show *id*, which the store has, in *state*; None is that of its side-car."""
        try:
            self.catalog.mark(id, state or self._state(id))
        except TarkeepError:
            self.hidden.add(id)
            raise

    def missing_base(self, archive: BackupArchive, place: PlacedArchive | None) -> ArchiveId | None:
        """
        The archive in the trash without which *archive* does not restore; None if there is none.

        *place* is that of *archive*; None if it could not be worked out.
        """
        ends = [archive.id]
        if place is not None and place.standing is not None:
            ends = [one.archive for one in place.standing.obstacles if one.kind is ObstacleKind.MISSING_PARENT]
        for id in ends:
            child = archive if id == archive.id else self.catalog.find(id)
            base = removed_base(child, self.catalog.neighbours(id.profile), self.rules.of(id.profile))
            if base is not None and is_in_trash(base.id, self.store):
                return base.id
        return None

    def _way(self, id: ArchiveId) -> tuple[ArchiveId, ...]:
        if not is_in_trash(id, self.store):
            note = note_of(id, self.store)
            if note is None:
                self.catalog.find(id)
            raise NotInTrash(id, None if note is None else note.purged_at)
        way = [id]
        while (parent := self._parent(way[-1])) is not None and parent not in way:
            way.append(parent)
        return tuple(reversed(way))

    def _parent(self, id: ArchiveId) -> ArchiveId | None:
        """What *id* builds on, if that is in the trash, too; unknown if the note on *id* is damaged."""
        note = note_of(id, self.store)
        if note is None or note.parent is None or self.store.note(note.parent) is None:
            return None
        return note.parent if is_in_trash(note.parent, self.store) else None

    def _state(self, id: ArchiveId) -> ArchiveState:
        try:
            return sidecar.decode(self.store.stat(id).sidecar or b"").state
        except TarkeepError:  # it is back; whoever reads it finds out what is wrong with it
            return ArchiveState.STORED


def _described(stored: StoredArchive) -> BackupArchive | None:
    """What the side-car of *stored* says; None if it is not credible."""
    try:
        found = sidecar.decode(stored.sidecar or b"")
    except InvalidSidecar:
        return None
    return found if found.id == stored.id else None


@frozen
class Undelete:
    """Bring an archive back from the trash, with all that it builds on."""

    way_back: WayBack
    names: NameLocks

    def __call__(self, id: ArchiveId) -> tuple[ArchiveId, ...]:
        """
        Bring back *id* and those in the trash that it builds on. Returns all that came back, the base first.

        Raises:
            ArchiveNotFound: no archive of that identity is known.
            NotInTrash: *id* is not in the trash, or its bytes were removed already.
            NameConflict: the store has another file under the name of one of them.
        """
        with self.names.hold_profile(id.profile):
            return self.way_back.bring(id)


@frozen
class ShowHidden:
    """Show the archives that the catalog hides only because it failed."""

    way_back: WayBack
    names: NameLocks

    def __call__(self) -> tuple[ArchiveId, ...]:
        """
        Show those of this process. Returns those that are seen again; any other is remembered for the next call.

        Raises:
            CatalogBusy, BackendUnavailable: the catalog, or the store, still fails.
        """
        shown = []
        left = self.way_back.hidden.take()
        try:
            while left:
                with self.names.hold_profile(left[0].profile):
                    if self.way_back.show_again(left[0]):
                        shown.append(left[0])
                left.pop(0)
        finally:
            for id in left:
                self.way_back.hidden.add(id)
        return tuple(shown)
