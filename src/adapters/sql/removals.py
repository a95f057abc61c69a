"""Removed archives in the SQL catalog, and those that do not restore."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import TypeVar

import msgspec
from sqlalchemy import bindparam, delete, select

from ...domain.archives.archive import ArchiveState, BackupArchive
from ...domain.archives.inventory import InventoryEntry
from ...domain.errors.archives import ArchiveNotFound
from ...domain.identity.archive_id import ArchiveId, BackupType
from .engine import is_one_of
from .entry import entry_of
from .links.changes import LinkChanges, change_of, version_of
from .rows import ARCHIVE, TYPES, Query, Rows, Values, archive_of, as_written, may_exist, microseconds, time_of
from .schema import TRASHED, archives, asked, broken, links
from .statements import Transaction

_Result = TypeVar("_Result")


class SqlRemovals:
    """`Removals` in a database; the part of `SqlCatalog` that handles them."""

    _links: LinkChanges

    def _all(self, statement: Query, values: Values) -> Rows:
        raise NotImplementedError

    def _write(self, work: Callable[[Transaction], _Result], of: str) -> _Result:
        raise NotImplementedError

    def _set_state(self, transaction: Transaction, id: ArchiveId, state: ArchiveState) -> BackupArchive:
        raise NotImplementedError

    def hide(self, id: ArchiveId, version: int) -> int | None:
        def set_trashed(transaction: Transaction) -> int | None:
            _, was = entry_of(transaction, id)
            if was is None or was.state is ArchiveState.TRASHED:
                raise ArchiveNotFound(str(id))
            if version_of(transaction, id.profile) != version:
                return None
            self._set_state(transaction, id, ArchiveState.TRASHED)
            return version_of(transaction, id.profile)

        return self._write(set_trashed, id.profile)

    def trashed(self) -> list[BackupArchive]:
        return [archive_of(row) for row in self._all(_TRASHED, {})]

    def removed(self, profile: str, type: BackupType, names: Collection[str]) -> list[InventoryEntry]:
        if not names or not may_exist(profile):
            return []
        place: Values = {"profile": profile, "type": type.value, "names": msgspec.json.encode(list(names)).decode()}
        return [InventoryEntry(type, *row) for row in self._all(_REMOVED, place)]

    def forget(self, id: ArchiveId) -> None:
        def remove(transaction: Transaction) -> None:
            seq, was = entry_of(transaction, id)
            if was is None or was.state is not ArchiveState.TRASHED:
                return
            self._links.changed(transaction, change_of(seq, was))  # others may have asked about it
            for statement in _FORGET:
                transaction.run(statement, {"seq": seq})

        self._write(remove, id.profile)

    def broken_since(self, profile: str) -> dict[ArchiveId, datetime]:
        rows = self._all(_BROKEN, {"profile": profile}) if may_exist(profile) else []
        with as_written():
            return {ArchiveId(profile, TYPES[type], name): time_of(since_us) for type, name, since_us in rows}

    def note_broken(self, profile: str, ids: Collection[ArchiveId], now: datetime) -> None:
        wanted = {(id.type.value, id.name) for id in ids}

        def note(transaction: Transaction) -> None:
            known = {(type, name) for type, name, _ in transaction.rows(_BROKEN, {"profile": profile})}
            of: Values = {"profile": profile}
            transaction.run_each(_MENDED, [of | {"type": type, "name": name} for type, name in known - wanted])
            since = of | {"since_us": microseconds(now)}
            transaction.run_each(_FOUND, [since | {"type": type, "name": name} for type, name in wanted - known])

        if self.broken_since(profile).keys() != set(ids):
            self._write(note, profile)


_a, _b = archives.c, broken.c
_of_profile = _b.profile == bindparam("profile")

_TRASHED = select(*ARCHIVE).where(TRASHED).order_by(_a.profile, _a.type, _a.name)
_REMOVED = select(_a.name, _a.size_bytes, _a.md5, _a.sha256).where(
    _a.profile == bindparam("profile"), _a.type == bindparam("type"), is_one_of(_a.name, "names"), TRASHED
)
_FORGET = [delete(table).where(table.c.seq == bindparam("seq")) for table in (archives, links, asked)]
_BROKEN = select(_b.type, _b.name, _b.since_us).where(_of_profile)
_MENDED = delete(broken).where(_of_profile, _b.type == bindparam("type"), _b.name == bindparam("name"))
_FOUND = broken.insert().inline()
