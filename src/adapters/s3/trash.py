"""
Archives that were removed and can be brought back, and notes on those whose bytes are gone.

Only names move: the side-car and what lies beside it are put in the new place, and then leave the old one; the object
with the bytes stays where it is. The note comes first and leaves last. So a crash at any request leaves the archive in
one of the two places, or in both with the same bytes; moving it again finishes the move, and moving it back undoes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from attrs import frozen

from ...domain.errors.archives import AlreadyPublished, ArchiveNotFound, ArchiveProtected
from ...domain.identity.archive_id import ArchiveId
from ...domain.ports.store import TrashedArchive
from ...domain.retention.marks import decode
from ...domain.retention.trash_note import is_purged
from .keys import MARKS, NOTE, PLAIN, SIDECAR, SNAPSHOT
from .places import Found, Names, ids_among


@frozen
class BucketTrash:
    """
    The way of archives into the trash, back, and out of it. One thread at a time may work on one archive.

    *drop_bytes* removes the object with the bytes of an archive whose names are gone; it is told the object before.
    """

    archives: Names
    trash: Names
    dropping: Callable[[Found], Callable[[], None]]

    def note(self, id: ArchiveId) -> bytes | None:
        """As `ArchiveStore.note`."""
        found = self.trash.bucket.get_small(self.trash.key(id, NOTE))
        return None if found is None else found.content

    def take_in(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None]) -> None:
        """As `ArchiveStore.trash`."""
        here, there = self._both(id)
        if here is None and there is None:
            raise ArchiveNotFound(str(id))
        self._refuse_protected(id, now, here, there)
        self.trash.bucket.put(self.trash.key(id, NOTE), note)
        if here is not None:
            self.archives.copy_to(self.trash, here, anew=True)
        tell()
        if here is not None:
            self.archives.remove(id)

    def give_back(self, id: ArchiveId) -> None:
        """As `ArchiveStore.untrash`."""
        here, there = self._both(id)
        if there is None and not self._is_half_moved(id, here, there):
            raise ArchiveNotFound(str(id))
        if there is not None:
            self.trash.copy_to(self.archives, there, anew=here is None)
        self.trash.remove(id)
        self.trash.bucket.delete(self.trash.key(id, NOTE))

    def purge(self, id: ArchiveId, note: bytes, now: datetime, tell: Callable[[], None]) -> None:
        """As `ArchiveStore.purge`."""
        here, there, known = self.archives.look(id), self.trash.look(id), self.note(id)
        if (there is None and known is None) or self._is_half_moved(id, here, there):
            raise ArchiveNotFound(str(id))
        self._refuse_protected(id, now, here if there is not None else None, there)
        if not is_purged(known):
            self.trash.bucket.put(self.trash.key(id, NOTE), note)
        tell()
        is_needed = there is None or (here is not None and here.is_same(there))
        drop = None if is_needed or there is None else self.dropping(there)
        self.trash.remove(id)
        if drop is not None:
            drop()

    def forget(self, id: ArchiveId) -> None:
        """As `ArchiveStore.forget`."""
        if self.trash.look(id) is not None:
            raise AlreadyPublished(id)
        self.trash.remove(id)
        self.trash.bucket.delete(self.trash.key(id, NOTE))

    def all(self) -> Iterator[TrashedArchive]:
        """As `ArchiveStore.trashed`."""
        for profile, type in self.trash.folders():
            listed = self.trash.inside(profile, type)
            for id in sorted(ids_among(listed, profile, type, PLAIN, SIDECAR, NOTE)):
                note, found = self.note(id), self.trash.look(id)
                if found is not None:
                    stored = self.trash.stored(found)
                    yield TrashedArchive(id, stored.size_bytes, stored.sidecar, note, stored.has_snapshot)
                elif note is not None:
                    keys = {one.key for one in listed}
                    has_remains = any(self.trash.key(id, suffix) in keys for suffix in (SIDECAR, SNAPSHOT, MARKS))
                    yield TrashedArchive(id, None, None, note, has_remains=has_remains)

    def _both(self, id: ArchiveId) -> tuple[Found | None, Found | None]:
        here, there = self.archives.look(id), self.trash.look(id)
        if here is not None and there is not None and not here.is_same(there):
            raise AlreadyPublished(id)
        return here, there

    def _is_half_moved(self, id: ArchiveId, here: Found | None, there: Found | None) -> bool:
        """Whether the archive is stored alone, and its note in the trash, not from an earlier one of its name."""
        if here is None or there is not None:
            return False
        note = self.note(id)
        return note is not None and not is_purged(note)

    def _refuse_protected(self, id: ArchiveId, now: datetime, here: Found | None, there: Found | None) -> None:
        for names, found in ((self.archives, here), (self.trash, there)):
            protection = () if found is None else decode(names.marks(id)).protection(now)
            if protection:
                raise ArchiveProtected(id, protection)
