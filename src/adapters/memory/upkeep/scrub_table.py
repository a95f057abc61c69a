"""When archives were read, in memory."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime

from attrs import define, field, frozen

from ....domain.archives.archive import ArchiveState, BackupArchive
from ....domain.errors.archives import ArchiveNotFound
from ....domain.identity.archive_id import ArchiveId
from ....domain.scrubbing.findings import Fault
from ....domain.scrubbing.unread import FoundRight, LastChecked, Unread, in_order


@frozen
class _Noted:
    bytes_received: tuple[str, datetime]
    verified_at: datetime | None
    is_wanted: bool
    is_marked: bool
    fault: Fault | None = None


@define(eq=False)
class MemoryScrubTable:
    """`ScrubTable` of the catalog whose *entries* it asks for, trashed ones included."""

    _entries: Callable[[], Iterable[BackupArchive]]
    _noted: dict[ArchiveId, _Noted] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def due(self, before: datetime, *, limit: int, wanted_only: bool = False) -> list[Unread]:
        found = [one for one in self._all() if one.is_due(before) and (one.is_wanted or not wanted_only)]
        return in_order(found)[:limit]

    def count_due(self, before: datetime) -> int:
        return sum(one.is_due(before) for one in self._all())

    def unread_since(self, before: datetime, *, profile: str | None = None) -> dict[str, int]:
        return dict(
            Counter(
                one.archive.id.profile
                for one in self._all()
                if one.archive.state is ArchiveState.STORED
                and one.known_right_at < before
                and profile in (None, one.archive.id.profile)
            )
        )

    def find(self, id: ArchiveId) -> Unread:
        for one in self._all():
            if one.archive.id == id:
                return one
        raise ArchiveNotFound(str(id))

    def checked(self, ids: Collection[ArchiveId]) -> Mapping[ArchiveId, LastChecked]:
        found = {one.archive.id: one for one in self._all() if one.archive.id in set(ids)}
        return {id: LastChecked(one.verified_at, self._fault(one.archive)) for id, one in found.items()}

    def note_fault(self, archive: BackupArchive, fault: Fault) -> None:
        """Note how the damage of *archive* shows."""
        with self._lock:
            known = self._known(archive)
            self._noted[archive.id] = _Noted(
                _received(archive), known.verified_at, known.is_wanted, known.is_marked, fault
            )

    def want(self, profile: str | None = None) -> int:
        wanted = [one for one in self._all() if profile in (None, one.archive.id.profile)]
        for one in wanted:
            self.note(one.archive, None, is_wanted=True)
        return len(wanted)

    def note(
        self,
        archive: BackupArchive,
        verified_at: datetime | None,
        *,
        is_wanted: bool = False,
        is_marked: bool | None = None,
    ) -> None:
        with self._lock:
            known, fault = self._known(archive), self._noted_fault(archive)
            self._noted[archive.id] = _Noted(
                _received(archive),
                known.verified_at if verified_at is None else verified_at,
                is_wanted,
                known.is_marked if is_marked is None else is_marked,
                fault if verified_at is None else None,
            )

    def note_right(self, found: Sequence[FoundRight]) -> None:
        for one in found:
            self.note(one.archive, one.verified_at, is_marked=one.is_marked)

    def forget_gone(self) -> None:
        there = {archive.id for archive in self._entries()}
        with self._lock:
            self._noted = {id: noted for id, noted in self._noted.items() if id in there}

    def _all(self) -> list[Unread]:
        entries = [archive for archive in self._entries() if archive.state is not ArchiveState.TRASHED]
        with self._lock:
            return [self._known(archive) for archive in entries]

    def _known(self, archive: BackupArchive) -> Unread:
        noted = self._noted.get(archive.id)
        if noted is None or noted.bytes_received != _received(archive):
            return Unread(archive)
        return Unread(archive, noted.verified_at, noted.is_wanted, noted.is_marked)

    def _fault(self, archive: BackupArchive) -> Fault | None:
        return self._noted_fault(archive) if archive.state is ArchiveState.DAMAGED else None

    def _noted_fault(self, archive: BackupArchive) -> Fault | None:
        noted = self._noted.get(archive.id)
        return noted.fault if noted is not None and noted.bytes_received == _received(archive) else None


def _received(archive: BackupArchive) -> tuple[str, datetime]:
    return archive.digests.sha256, archive.received_at
