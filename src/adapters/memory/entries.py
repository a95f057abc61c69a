"""The entries of a catalog in memory, in the orders in which they are listed."""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from attrs import Factory, define

from ...domain.archives.archive import ArchiveState, BackupArchive
from ...domain.identity.archive_id import ArchiveId, BackupType

InTime: TypeAlias = tuple[int, int]  # received, in microseconds since the epoch; running number
Identity: TypeAlias = tuple[str, str, str]  # type, name, profile

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@define
class Entries:
    """Every entry, the hidden ones too, and the listed ones in both orders."""

    numbered: dict[ArchiveId, tuple[int, BackupArchive]] = Factory(dict)
    in_time: list[InTime] = Factory(list)
    by_identity: list[tuple[Identity, int]] = Factory(list)
    at: dict[int, ArchiveId] = Factory(dict)
    profiles: dict[str, None] = Factory(dict)  # in order of first arrival
    last: int = 0

    def add(self, archive: BackupArchive) -> None:
        self.last = seq = self.last + 1
        self.numbered[archive.id] = seq, archive
        self.profiles[archive.id.profile] = None
        self.at[seq] = archive.id
        self._list(seq, archive)

    def set(self, archive: BackupArchive) -> None:
        seq, before = self.numbered[archive.id]
        if before.state is not ArchiveState.TRASHED:
            self.in_time.remove((microseconds(before.received_at), seq))
            self.by_identity.remove((identity_key(archive.id), seq))
        self.numbered[archive.id] = seq, archive
        self._list(seq, archive)

    def drop(self, id: ArchiveId) -> None:
        """Remove an entry that is not listed."""
        seq, _ = self.numbered.pop(id)
        del self.at[seq]

    def _list(self, seq: int, archive: BackupArchive) -> None:
        if archive.state is not ArchiveState.TRASHED:
            insort(self.in_time, (microseconds(archive.received_at), seq))
            insort(self.by_identity, (identity_key(archive.id), seq))

    def archive(self, seq: int) -> BackupArchive:
        return self.numbered[self.at[seq]][1]

    def latest(self, profile: str, type: BackupType | None) -> Iterator[BackupArchive]:
        for _, seq in reversed(self.in_time):
            archive = self.archive(seq)
            if archive.id.profile == profile and type in (None, archive.id.type):
                yield archive

    def from_place(
        self, start: int, profiles: Collection[str] | None, type: BackupType | None
    ) -> Iterator[tuple[InTime, BackupArchive]]:
        for position in range(start, len(self.in_time)):
            place = self.in_time[position]
            archive = self.archive(place[1])
            if (profiles is None or archive.id.profile in profiles) and type in (None, archive.id.type):
                yield place, archive

    def listed(self) -> Iterator[BackupArchive]:
        return (archive for _, archive in self.numbered.values() if archive.state is not ArchiveState.TRASHED)


def identity_key(id: ArchiveId) -> Identity:
    return id.type.value, id.name, id.profile


def microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
