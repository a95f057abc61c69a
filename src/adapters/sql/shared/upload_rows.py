"""
The state of resumable uploads in a table, for any number of servers; and one writer per upload among them, by leases.

The rule: a state is saved in the transaction in which the lease of its writer is still good. So a server that stood
still while another took its upload over can acknowledge nothing any more.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from attrs import define, field, frozen
from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from ....domain.errors.uploads import UploadLocked, UploadNotFound
from ....domain.ports.upkeep.leases import HeldLease, Leases
from ....domain.ports.uploads import UploadLocks, nothing
from ....domain.upload_record import decoded, encoded
from ....domain.uploads import Upload
from ..rows import Values, as_written, microseconds
from ..schema import leases, uploads
from ..statements import Transaction
from .database_clock import DatabaseClock
from .exclusion import alone_with_profile
from .tables import SharedTables

_FIRST_POLL, _LAST_POLL = 0.1, 1.0


def _nothing() -> None:
    """For holders that cannot be hurried."""


@define(eq=False)
class LeasedUploadLocks:
    """
    `UploadLocks` among all servers that share *leases*. *here* queues the requests of this process, of which one at a
    time asks for the lease.
    """

    here: UploadLocks
    leases: Leases
    _held: dict[str, HeldLease] = field(factory=dict, init=False)

    @contextmanager
    def hold(self, upload: str, patience: timedelta, when_wanted: Callable[[], None] = _nothing) -> Iterator[None]:
        deadline, pause, left = time.monotonic() + patience.total_seconds(), _FIRST_POLL, threading.Event()
        with self.here.hold(upload, patience, when_wanted):
            while True:
                with self.leases.take(lease_name(upload), when_wanted) as held:
                    if held is not None:
                        self._held[upload] = held
                        try:
                            yield
                        finally:
                            del self._held[upload]
                        return
                rest = deadline - time.monotonic()
                if rest <= 0:
                    raise UploadLocked(upload)
                left.wait(min(pause, rest))
                pause = min(2 * pause, _LAST_POLL)

    def lease_of(self, upload: str) -> HeldLease | None:
        """The lease of *upload* that this process has now."""
        return self._held.get(upload)


def lease_name(upload: str) -> str:
    """The name of the lease under which *upload* is written."""
    return f"upload/{upload}"


@frozen
class SqlUploadSessions:
    """`UploadSessions` in the database of *tables*. *lease_of* gives the lease by which this process,
    the *holder*, writes to one."""

    tables: SharedTables
    lease_of: Callable[[str], HeldLease | None]
    holder: str

    def save(self, upload: Upload, judge: Callable[[], None] = nothing) -> None:
        """
        Also raises:
            UploadLocked: another server goes on with the upload.
        """
        row: Values = {
            "id": upload.id,
            "created_us": microseconds(upload.created_at),
            "is_open": upload.is_open,
            "told": json.dumps(encoded(upload)),
        }
        lease = self.lease_of(upload.id)

        def save(transaction: Transaction) -> None:
            if lease is not None and not transaction.rows(
                _IS_HELD, {"of": lease_name(upload.id), "of_holder": self.holder, "of_fence": lease.fence}
            ):
                raise UploadLocked(upload.id)
            if judge is not nothing and upload.held_for is not None:
                alone_with_profile(transaction, upload.held_for)
                judge()
            transaction.run(_SAVE[self.tables.engine.dialect.name], row)

        self.tables.write(save)

    def get(self, id: str) -> Upload:
        for (told,) in self.tables.all(_GET, {"of": id}):
            return _upload(told)
        raise UploadNotFound(id)

    def all(self) -> list[Upload]:
        return [_upload(told) for (told,) in self.tables.all(_ALL, {})]

    def unfinished(self) -> list[Upload]:
        return [_upload(told) for (told,) in self.tables.all(_OPEN, {})]

    def remove(self, id: str) -> None:
        self.tables.write(lambda transaction: transaction.run(_REMOVE, {"of": id}))


def _upload(told: str) -> Upload:
    with as_written():
        return decoded(json.loads(told))


_u = uploads.c
_l = leases.c
_GET = select(_u.told).where(_u.id == bindparam("of"))
_ALL = select(_u.told).order_by(_u.created_us, _u.id)
_OPEN = select(_u.told).where(_u.is_open)
_REMOVE = delete(uploads).where(_u.id == bindparam("of"))
_IS_HELD = (
    select(_l.fence)
    .where(
        _l.name == bindparam("of"),
        _l.holder == bindparam("of_holder"),
        _l.fence == bindparam("of_fence"),
        _l.until_us > DatabaseClock(),
    )
    .with_for_update(read=True)  # whoever takes it over waits for this transaction
)


def _saving(dialect: str) -> Any:
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(uploads)
    changed = {"is_open": insert.excluded.is_open, "told": insert.excluded.told}
    return insert.on_conflict_do_update(index_elements=[_u.id], set_=changed).inline()


_SAVE = {dialect: _saving(dialect) for dialect in ("sqlite", "postgresql")}
