"""What is compared of archives when another one arrives: a plain tuple, because each arrival needs many."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from ..archives.archive import BackupArchive, Kind
from ..identity.archive_id import BackupType


class Arrival(NamedTuple):
    """
    A stored archive as `suspicion` compares it.

    *placed_at* is as `BackupArchive.placed_at`. What follows *size_bytes* is None, or empty, where the contents are
    unknown; *listed* and *unchanged* are those of `Contents`. *left* is the digest of the snapshot file that the dump
    left behind.
    """

    type: BackupType
    name: str
    received_at: datetime
    placed_at: datetime
    size_bytes: int
    sha256: str
    kind: Kind | None = None
    members: int = 0
    unpacked_bytes: int = 0
    listed: int | None = None
    unchanged: int | None = None
    roots: tuple[str, ...] = ()
    left: str | None = None

    @property
    def is_incremental(self) -> bool:
        """Whether it has listings, and so knows the whole tree."""
        return self.kind is Kind.INCREMENTAL

    @property
    def files(self) -> int:
        """How many files the tree had, as far as that is known: what is listed, or else all members."""
        return self.members if self.listed is None else self.listed

    @property
    def carried(self) -> int:
        """How many files are in the archive; directories are among them if it has no listings."""
        return self.members if self.listed is None else self.listed - (self.unchanged or 0)


def arrival_of(archive: BackupArchive) -> Arrival:
    """*archive* as it is compared."""
    contents = archive.contents
    if contents is None:
        return Arrival(
            archive.id.type,
            archive.id.name,
            archive.received_at,
            archive.placed_at,
            archive.size_bytes,
            archive.digests.sha256,
            left=archive.lineage.snapshot_after,
        )
    return Arrival(
        archive.id.type,
        archive.id.name,
        archive.received_at,
        archive.placed_at,
        archive.size_bytes,
        archive.digests.sha256,
        contents.kind,
        contents.members,
        contents.unpacked_bytes,
        contents.listed,
        contents.unchanged,
        contents.roots,
        archive.lineage.snapshot_after,
    )
