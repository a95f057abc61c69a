"""What the store in memory holds under one identity."""

from __future__ import annotations

from attrs import define

from ...domain.identity.archive_id import ArchiveId
from ...domain.ports.store import StoredArchive, TrashedArchive


@define(eq=False)
class HeldArchive:
    """The content under one identity. Tests may change it, as a failing disk would; *sidecar* None is a lost one."""

    content: bytes
    sidecar: bytes | None
    snapshot: bytes | None = None
    marks: bytes | None = None

    def stored_as(self, id: ArchiveId) -> StoredArchive:
        return StoredArchive(id, len(self.content), self.sidecar, self.snapshot is not None)


@define(eq=False)
class HeldTrash:
    """What the trash holds under one identity: *held* None is an archive that was purged."""

    held: HeldArchive | None
    note: bytes | None

    def trashed_as(self, id: ArchiveId) -> TrashedArchive:
        if self.held is None:
            return TrashedArchive(id, None, None, self.note)
        stored = self.held.stored_as(id)
        return TrashedArchive(id, stored.size_bytes, stored.sidecar, self.note, stored.has_snapshot)
