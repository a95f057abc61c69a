"""Finding the row of one entry within a transaction."""

from __future__ import annotations

from ...domain.archives.archive import BackupArchive
from ...domain.identity.archive_id import ArchiveId
from .queries import ENTRY
from .rows import archive_of, identity
from .statements import Transaction


def entry_of(transaction: Transaction, id: ArchiveId) -> tuple[int, BackupArchive | None]:
    """The row and the archive of the entry of *id*; 0 and None if there is no entry."""
    for seq, *row in transaction.rows(ENTRY, identity(id)):
        return seq, archive_of(row)
    return 0, None
