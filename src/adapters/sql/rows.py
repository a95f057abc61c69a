"""Archives as rows of the SQL catalog, and small helpers of all its queries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
from attrs import astuple
from sqlalchemy import Select

from ...domain.archives.archive import AfterEnd, ArchiveState, BackupArchive, Contents, Copied, Kind, Lineage
from ...domain.errors.capacity import CatalogDamaged
from ...domain.identity.archive_id import ArchiveId, BackupType
from ...domain.identity.digests import Digests
from ...domain.identity.invalid import InvalidName
from ...domain.identity.naming import check_profile
from ...domain.tarkeep_error import TarkeepError
from .schema import archives

Rows: TypeAlias = Sequence[tuple[Any, ...]]
Query: TypeAlias = Select[*tuple[Any, ...]]
Values: TypeAlias = dict[str, str | int | bool | bytes | None]

TYPES = {type.value: type for type in BackupType}
KINDS = {kind.value: kind for kind in Kind}
STATES = {state.value: state for state in ArchiveState}
_NO_LINEAGE = Lineage()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_a = archives.c
ARCHIVE = (
    _a.profile,
    _a.type,
    _a.name,
    _a.size_bytes,
    _a.md5,
    _a.sha256,
    _a.received_us,
    _a.taken_us,
    _a.kind,
    _a.members,
    _a.unpacked_bytes,
    _a.newest_member_us,
    _a.has_unchanged,
    _a.roots,
    _a.after_end,
    _a.listed,
    _a.unchanged,
    _a.state,
    _a.parent_type,
    _a.parent_name,
    _a.snapshot_before,
    _a.snapshot_after,
    _a.has_snapshot,
    _a.notes,
    _a.copied_us,
    _a.came_late,
)
_TAIL = 8  # of these: four columns of the lineage, and the last four


def values_of(archive: BackupArchive, *, claimed: bool) -> Values:
    contents = archive.contents
    newest = None if contents is None else contents.newest_member
    after_end = None if contents is None else contents.after_end
    lineage = archive.lineage
    return {
        "profile": archive.id.profile,
        "type": archive.id.type.value,
        "name": archive.id.name,
        "size_bytes": archive.size_bytes,
        "md5": archive.digests.md5,
        "sha256": archive.digests.sha256,
        "received_us": microseconds(archive.received_at),
        "taken_us": microseconds(archive.taken_at),
        "kind": None if contents is None else contents.kind.value,
        "members": None if contents is None else contents.members,
        "unpacked_bytes": None if contents is None else contents.unpacked_bytes,
        "newest_member_us": None if newest is None else microseconds(newest),
        "state": archive.state.value,
        "claimed": claimed,
        "has_unchanged": None if contents is None else contents.has_unchanged,
        "roots": json.dumps(contents.roots) if contents is not None and contents.roots else None,
        "after_end": None if after_end is None else json.dumps(astuple(after_end)),
        "listed": None if contents is None else contents.listed,
        "unchanged": None if contents is None else contents.unchanged,
        "parent_type": None if lineage.parent is None else lineage.parent[0].value,
        "parent_name": None if lineage.parent is None else lineage.parent[1],
        "snapshot_before": lineage.snapshot_before,
        "snapshot_after": lineage.snapshot_after,
        "has_snapshot": archive.has_snapshot,
        "notes": json.dumps(archive.notes) if archive.notes else None,
        "copied_us": None if archive.copied is None else microseconds(archive.copied.at),
        "came_late": None if archive.copied is None else archive.copied.is_late,
    }


def identity(id: ArchiveId) -> Values:
    return {"profile": id.profile, "type": id.type.value, "name": id.name}


def sought(id: ArchiveId) -> Values:
    # Not the names of the columns: an UPDATE sets a column from a value of the same name.
    return {"sought_profile": id.profile, "sought_type": id.type.value, "sought_name": id.name}


NEVER_WRITTEN = (TarkeepError, LookupError, OverflowError, TypeError, ValueError, msgspec.MsgspecError)
"""Raised when a row holds something that was never written."""


@contextmanager
def as_written() -> Iterator[None]:
    """
    A context for parsing rows.

    Raises:
        CatalogDamaged: a row holds something that was never written, so the database was damaged.
    """
    try:
        yield
    except NEVER_WRITTEN as error:
        raise CatalogDamaged() from error


def archive_of(row: Sequence[Any]) -> BackupArchive:
    """
    The archive in a row.

    Raises:
        CatalogDamaged: no archive can be like that, so the database was damaged.
    """
    try:  # not `as_written`, whose overhead is a tenth of this
        return _told_by(row)
    except NEVER_WRITTEN as error:
        raise CatalogDamaged() from error


KEPT = 4096
"""
So many archives stay parsed, some 2 KB each: a page about a profile reads all of it several times, and the next page
does again. They are found by all of their row, so that none is out of date.
"""

kept_archive = lru_cache(KEPT)(archive_of)


def _told_by(row: Sequence[Any]) -> BackupArchive:
    *about_lineage, has_snapshot, notes, copied_us, came_late = row[-_TAIL:]
    profile, type, name, size_bytes, md5, sha256, received_us, taken_us, *about_contents, state = row[:-_TAIL]
    contents = None
    kind, members, unpacked, newest_us, has_unchanged, roots, after_end, listed, unchanged = about_contents
    if kind is not None:
        contents = Contents(
            KINDS[kind],
            members,
            unpacked,
            None if newest_us is None else time_of(newest_us),
            bool(has_unchanged),
            () if roots is None else _texts(roots),
            None if after_end is None else AfterEnd(*msgspec.json.decode(after_end)),
            listed,
            unchanged,
        )
    return BackupArchive(
        id_of(profile, type, name),
        size_bytes,
        Digests(md5, sha256),
        time_of(received_us),
        time_of(taken_us),
        contents,
        STATES[state],
        _lineage(*about_lineage),
        bool(has_snapshot),
        () if notes is None else _texts(notes),
        None if copied_us is None else Copied(time_of(copied_us), bool(came_late)),
    )


def _lineage(parent_type: str | None, parent_name: str | None, before: str | None, after: str | None) -> Lineage:
    if parent_type is None and before is None and after is None:
        return _NO_LINEAGE
    parent = None if parent_type is None or parent_name is None else (TYPES[parent_type], parent_name)
    return Lineage(parent, before, after)


@lru_cache(1000)
def id_of(profile: str, type: str, name: str) -> ArchiveId:
    """
    The identity in a row. A parent is mostly read shortly before its children: they then share it, and compare at once.
    """
    return ArchiveId(profile, TYPES[type], name)


@lru_cache(1000)
def _texts(text: str) -> tuple[str, ...]:
    """The texts in the JSON list *text*; the archives of a profile have mostly the same."""
    return tuple(msgspec.json.decode(text))


def microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def time_of(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def one_more(limit: int) -> int:
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    return limit + 1  # the extra row shows whether there is a next page


def may_exist(profile: str | None) -> bool:
    try:
        return profile is None or bool(check_profile(profile))
    except InvalidName:
        return False
