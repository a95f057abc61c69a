"""
Archives that were removed and can be brought back, and notes on those whose bytes are gone.

::

    DATA/trash/<profile>/<TYPE>/<name>.tar.gz               with all that lay beside it, as in ``archives``
    DATA/trash/<profile>/<TYPE>/<name>.tar.gz.trashed.json  the note: when and why; it stays when the bytes go

An archive moves by links, which overwrite nothing: the note first, then what lies beside the archive, then the archive;
all of this is made durable, and only then do the old names go, the archive's first. So a crash at any call leaves the
archive in one of the two places, or the same file in both, with all that belongs to it. Moving it again then finishes
the move, and moving it back undoes it.

A note that lies there without an archive says by itself whether the bytes are gone (purged) or the archive is just
being moved.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime

from attrs import frozen

from ....domain.errors.archives import AlreadyPublished, ArchiveNotFound
from ....domain.identity.archive_id import ArchiveId, BackupType
from ....domain.ports.store import TrashedArchive
from ....domain.retention.trash_note import is_purged
from ...process.os_errors import translated
from ..open_files import names_in, read_whole, unlink
from .archive_files import (
    are_one_file,
    is_beside,
    is_there,
    link_files,
    look_at,
    names_beside,
    unlink_beside,
    unlink_files,
)
from .archive_marks import refuse_protected
from .staged_file import StagedFile
from .type_folders import TypeFolders, ids_among

NOTE_SUFFIX = ".trashed.json"

_ARCHIVE = ""  # what follows the name in the name of its file


@frozen(eq=False)
class TrashFolder:
    """
    The way of archives into the trash, back, and out of it. One thread at a time may work on one archive.

    *staged* writes a note durably to staging. Methods raise OSError where the storage fails.
    """

    archives: TypeFolders
    trash: TypeFolders
    staged: Callable[[bytes], AbstractContextManager[StagedFile]]

    def holds(self, id: ArchiveId) -> bool:
        """Whether the bytes of *id* lie here."""
        with self.trash.opened_if_there(id.profile, id.type) as trash:
            return is_there(id, trash)

    def note(self, id: ArchiveId) -> bytes | None:
        """The note on *id*."""
        with self.trash.opened_if_there(id.profile, id.type) as trash:
            return _note(id, trash)

    def take_in(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None]) -> None:
        """As `ArchiveStore.trash`."""
        with (
            self.archives.opened_if_there(id.profile, id.type) as archives,
            self.trash.opened_if_there(id.profile, id.type) as trash,
        ):
            if not is_there(id, archives) and not is_there(id, trash):
                raise ArchiveNotFound(str(id))
            _refuse_another(id, archives, trash)
            refuse_protected(id, now, archives, trash)
            with self.trash.made(id.profile, id.type) as target, self.staged(note) as staged:
                self._move_in(id, staged, archives, target)
                tell()
                self._take_away(id, archives)

    def _move_in(self, id: ArchiveId, note: StagedFile, archives: int | None, trash: int) -> None:
        with ExitStack() as undo:
            if _note(id, trash) is None:
                undo.callback(unlink, id.name + NOTE_SUFFIX, trash)
            note.move_to(id.name + NOTE_SUFFIX, trash)
            if archives is not None and is_there(id, archives):
                if not is_there(id, trash):
                    unlink_beside(id, trash)
                link_files(id, archives, trash, undo, anew=True)
            os.fsync(trash)
            undo.pop_all()

    @staticmethod
    def _take_away(id: ArchiveId, archives: int | None) -> None:
        if archives is not None:
            unlink_files(id, archives)
            os.fsync(archives)

    def give_back(self, id: ArchiveId) -> None:
        """As `ArchiveStore.untrash`."""
        with (
            self.archives.opened_if_there(id.profile, id.type) as archives,
            self.trash.opened_if_there(id.profile, id.type) as trash,
        ):
            if trash is None or not (is_there(id, trash) or _is_half_moved(id, archives, trash)):
                if trash is not None:
                    os.fsync(trash)  # an earlier call may have failed at this, with the files gone from here
                raise ArchiveNotFound(str(id))
            _refuse_another(id, archives, trash)
            if is_there(id, trash):
                with self.archives.made(id.profile, id.type) as target:
                    _move_back(id, trash, target)
            unlink_files(id, trash)
            unlink(id.name + NOTE_SUFFIX, trash)
            os.fsync(trash)

    def purge(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None]) -> None:
        """As `ArchiveStore.purge`."""
        with (
            self.archives.opened_if_there(id.profile, id.type) as archives,
            self.trash.opened_if_there(id.profile, id.type) as trash,
        ):
            known = _note(id, trash)
            if trash is None or not (is_there(id, trash) or known) or _is_half_moved(id, archives, trash):
                raise ArchiveNotFound(str(id))
            if is_there(id, trash):
                refuse_protected(id, now, archives, trash)
            if not is_purged(known):
                with self.staged(note) as staged:
                    staged.move_to(id.name + NOTE_SUFFIX, trash)
            os.fsync(trash)  # even if the note was there: the purge that wrote it may have ended before its fsync
            tell()
            unlink_files(id, trash)
            os.fsync(trash)

    def forget(self, id: ArchiveId) -> None:
        """As `ArchiveStore.forget`."""
        with self.trash.opened_if_there(id.profile, id.type) as trash:
            if is_there(id, trash):
                raise AlreadyPublished(id)
            if trash is not None:
                unlink_beside(id, trash)
                unlink(id.name + NOTE_SUFFIX, trash)
                os.fsync(trash)

    def finish_moves(self) -> None:
        """
        Remove what a move that was killed, or failed, at its end left beside the old place of an archive.

        All that is taken away is in the trash with the archive: it was linked there before.
        """
        for profile, type in self.trash.all():
            with (
                self.trash.opened_if_there(profile, type) as trash,
                self.archives.opened_if_there(profile, type) as archives,
            ):
                if trash is not None and archives is not None:
                    moved = [id for id in ids_among(names_in(trash), profile, type, _ARCHIVE) if is_there(id, trash)]
                    left = [id for id in moved if not is_there(id, archives) and is_beside(id, archives)]
                    for id in left:
                        unlink_beside(id, archives)
                    if left:
                        os.fsync(archives)

    def all(self) -> Iterator[TrashedArchive]:
        """As `ArchiveStore.trashed`."""
        for profile, type in self.trash.all():
            yield from self._in_folder(profile, type)

    def _in_folder(self, profile: str, type: BackupType) -> Iterator[TrashedArchive]:
        with ExitStack() as stack:
            with translated():
                trash = stack.enter_context(self.trash.opened_if_there(profile, type))
                names = [] if trash is None else names_in(trash)
            ids = {id for suffix in (_ARCHIVE, NOTE_SUFFIX) for id in ids_among(names, profile, type, suffix)}
            present = set(names)
            for id in sorted(ids):
                assert trash is not None
                with translated():
                    stored, note = look_at(id, trash), _note(id, trash)
                if stored is not None:
                    yield TrashedArchive(id, stored.size_bytes, stored.sidecar, note, stored.has_snapshot)
                elif note is not None:
                    has_remains = not present.isdisjoint(names_beside(id)) and is_beside(id, trash)
                    yield TrashedArchive(id, None, None, note, has_remains=has_remains)


def _move_back(id: ArchiveId, trash: int, archives: int) -> None:
    with ExitStack() as undo:
        if not is_there(id, archives):
            unlink_beside(id, archives)
        link_files(id, trash, archives, undo, anew=False)
        # even if all was there already: the process that linked it may have died before the fsync
        os.fsync(archives)
        undo.pop_all()


def _note(id: ArchiveId, trash: int | None) -> bytes | None:
    return None if trash is None else read_whole(id.name + NOTE_SUFFIX, trash)


def _is_half_moved(id: ArchiveId, archives: int | None, trash: int) -> bool:
    """Whether the archive is in *archives* alone, and its note in the trash, not from an earlier one of its name."""
    note = _note(id, trash)
    return note is not None and not is_purged(note) and is_there(id, archives) and not is_there(id, trash)


def _refuse_another(id: ArchiveId, archives: int | None, trash: int | None) -> None:
    """Raises AlreadyPublished if both places have an archive *id*, and not the same file."""
    if archives is None or trash is None or not is_there(id, archives) or not is_there(id, trash):
        return
    if not are_one_file(id.name, archives, trash):
        raise AlreadyPublished(id)
