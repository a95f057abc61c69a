"""
The SQL catalog's queries for comparisons: inventories in pages, names alone, and the state of given names.

All of them are answered from one covering index; no row is looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

import msgspec
from attrs import frozen
from sqlalchemy import Select, bindparam, select, tuple_

from ...domain.archives.archive import ArchiveState
from ...domain.archives.inventory import InventoryEntry
from ...domain.identity.archive_id import BackupType
from ...domain.ports.catalog import InventoryPage
from ..cursors import after_identity, read_identity
from .engine import is_one_of
from .rows import TYPES, Values, as_written, may_exist, one_more
from .schema import LISTED, archives

Query: TypeAlias = Select[*tuple[Any, ...]]
Rows: TypeAlias = Sequence[tuple[Any, ...]]

_DAMAGED = ArchiveState.DAMAGED.value
_encode = msgspec.json.encode


@frozen
class SqlInventories:
    """Inventories by way of *all*, which runs a query and fetches every row."""

    all: Callable[[Query, Values], Rows]

    def page(self, profile: str | None, cursor: str | None, limit: int) -> InventoryPage:
        after = ("", "", "") if cursor is None else read_identity(cursor)
        place: Values = {"after_type": after[0], "after_name": after[1], "limit": one_more(limit)}
        if profile is None:
            rows = self._of_all_profiles(after, one_more(limit))
        else:
            rows = self.all(_INVENTORY_OF_PROFILE, place | {"profile": profile}) if may_exist(profile) else []
        types = TYPES
        with as_written():
            found = tuple(
                InventoryEntry(types[type], name, size_bytes, md5, sha256, state == _DAMAGED)
                for type, name, _, size_bytes, md5, sha256, state in rows[:limit]
            )
        if len(rows) <= limit:
            return InventoryPage(found, None)
        type, name, last_profile, *_ = rows[limit - 1]
        return InventoryPage(found, after_identity(type, name, last_profile))

    def _of_all_profiles(self, after: tuple[str, str, str], limit: int) -> Rows:
        """Type by type: with the type fixed, every SQLite finds the position in the index of identities."""
        rows: list[tuple[Any, ...]] = []
        for type in sorted(word for word in TYPES if word >= after[0]):
            name, profile = after[1:] if type == after[0] else ("", "")
            place: Values = {"type": type, "after_name": name, "after_profile": profile, "limit": limit - len(rows)}
            rows.extend(self.all(_INVENTORY_OF_TYPE, place))
            if len(rows) == limit:
                break
        return rows

    def names(self, profile: str, type: BackupType, after: str, limit: int) -> list[str]:
        if not may_exist(profile):
            return []
        place: Values = {"profile": profile, "type": type.value, "after_name": after, "limit": one_more(limit) - 1}
        return [name for (name,) in self.all(_NAMES, place)]

    def names_of(self, profiles: Collection[str]) -> dict[tuple[str, BackupType], list[str]]:
        place: Values = {"profiles": _encode(sorted(filter(may_exist, profiles))).decode()}
        found: dict[tuple[str, BackupType], list[str]] = {}
        for profile, type, name in self.all(_NAMES_OF, place):
            found.setdefault((profile, TYPES[type]), []).append(name)
        return found

    def entries(self, profile: str, type: BackupType, names: Collection[str]) -> list[InventoryEntry]:
        if not may_exist(profile):
            return []
        place: Values = {
            "profile": profile,
            "type": type.value,
            "names": _encode([name for name in names if "\0" not in name]).decode(),
        }
        return [
            InventoryEntry(type, name, size_bytes, md5, sha256, state == _DAMAGED)
            for name, size_bytes, md5, sha256, state in self.all(_ENTRIES, place)
        ]


_a = archives.c
_of_profile = _a.profile == bindparam("profile")
_of_type = _a.type == bindparam("type")
_KNOWN = (_a.size_bytes, _a.md5, _a.sha256, _a.state)

_INVENTORY_OF_TYPE = (
    select(_a.type, _a.name, _a.profile, *_KNOWN)
    .where(
        _of_type,
        tuple_(_a.name, _a.profile) > tuple_(bindparam("after_name"), bindparam("after_profile")),
        LISTED,
    )
    .order_by(_a.name, _a.profile)
    .limit(bindparam("limit"))
)
_INVENTORY_OF_PROFILE = (
    select(_a.type, _a.name, _a.profile, *_KNOWN)
    .where(_of_profile, tuple_(_a.type, _a.name) > tuple_(bindparam("after_type"), bindparam("after_name")), LISTED)
    .order_by(_a.type, _a.name)
    .limit(bindparam("limit"))
)
_NAMES = (
    select(_a.name)
    .where(_of_profile, _of_type, _a.name > bindparam("after_name"), LISTED)
    .order_by(_a.name)
    .limit(bindparam("limit"))
)
_ENTRIES = select(_a.name, *_KNOWN).where(_of_profile, _of_type, is_one_of(_a.name, "names"), LISTED)
_NAMES_OF = select(_a.profile, _a.type, _a.name).where(is_one_of(_a.profile, "profiles"), LISTED)
