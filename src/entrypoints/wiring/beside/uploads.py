"""Where the state of resumable uploads is kept, and who may write to one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from attrs import frozen

from ....adapters.process.upkeep.renewed_leases import RenewedLeases
from ....adapters.process.upload_locks import ProcessUploadLocks
from ....adapters.sql.shared.tables import SharedTables
from ....adapters.sql.shared.upload_rows import LeasedUploadLocks, SqlUploadSessions
from ....domain.ports.uploads import UploadLocks, UploadSessions
from ...settings.server import StorageSettings


@frozen
class KeptUploads:
    """*may_move* tells that other servers may go on with an upload."""

    sessions: UploadSessions
    locks: UploadLocks
    may_move: bool = False


@contextmanager
def kept_uploads(
    settings: StorageSettings, sessions: UploadSessions, leases: RenewedLeases | None
) -> Iterator[KeptUploads]:
    """
    *sessions*, those of the data directory; with *leases* the table instead, which other servers have, too. The catalog
    was opened before.
    """
    if leases is None:
        yield KeptUploads(sessions, ProcessUploadLocks())
        return
    with closing(SharedTables.open(settings.catalog or "")) as tables:
        locks = LeasedUploadLocks(ProcessUploadLocks(), leases)
        yield KeptUploads(SqlUploadSessions(tables, locks.lease_of, leases.holder), locks, may_move=True)
