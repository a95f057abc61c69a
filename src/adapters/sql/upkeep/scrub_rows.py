"""When archives were read, in the database of the SQL catalog."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec
from attrs import define, field
from sqlalchemy import and_, bindparam, case, delete, false, func, null, or_, select, true
from sqlalchemy.dialects import postgresql, sqlite

from ....domain.archives.archive import ArchiveState, BackupArchive
from ....domain.errors.archives import ArchiveNotFound
from ....domain.identity.archive_id import ArchiveId
from ....domain.scrubbing.findings import Fault
from ....domain.scrubbing.unread import FoundRight, LastChecked, Unread
from ..engine import is_one_of_identities
from ..rows import (
    ARCHIVE,
    TYPES,
    Query,
    Rows,
    Values,
    archive_of,
    as_written,
    identity,
    may_exist,
    microseconds,
    time_of,
)
from ..schema import LISTED, archives, checks
from ..statements import Transaction

_Result = TypeVar("_Result")


class _Read(Protocol):
    def __call__(self, statement: Query, values: Values) -> Rows: ...


class _Write(Protocol):
    def __call__(self, work: Callable[[Transaction], _Result]) -> _Result: ...


@define(eq=False)
class SqlScrubTable:
    """`ScrubTable` in a database, by the queries and the transactions of its catalog."""

    _all: _Read
    _write: _Write
    _dialect: str
    _note: Any = field(init=False)
    _want: Any = field(init=False)
    _want_of_profile: Any = field(init=False)
    _note_fault: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._note = self._replacing(self._insert())
        self._want = self._replacing(self._insert().from_select(_COLUMNS, _ALL_WANTED))
        self._note_fault = self._replacing_fault(self._insert())
        self._want_of_profile = self._replacing(self._insert().from_select(_COLUMNS, _WANTED_OF_PROFILE))

    def due(self, before: datetime, *, limit: int, wanted_only: bool = False) -> list[Unread]:
        values: Values = {"limit": limit}
        if not wanted_only:
            values["before"] = microseconds(before)
        return [_unread(row) for row in self._all(_WANTED if wanted_only else _DUE, values)]

    def count_due(self, before: datetime) -> int:
        ((count,),) = self._all(_COUNT, {"before": microseconds(before)})
        return int(count)

    def unread_since(self, before: datetime, *, profile: str | None = None) -> dict[str, int]:
        if not may_exist(profile):
            return {}
        values: Values = {"before": microseconds(before)}
        if profile is None:
            rows = self._all(_SINCE, values)
        else:
            rows = self._all(_SINCE_OF_PROFILE, {**values, "of_profile": profile})
        return {whose: int(count) for whose, count in rows}

    def find(self, id: ArchiveId) -> Unread:
        for row in self._all(_FIND, identity(id)):
            return _unread(row)
        raise ArchiveNotFound(str(id))

    def checked(self, ids: Collection[ArchiveId]) -> Mapping[ArchiveId, LastChecked]:
        if not ids:
            return {}
        wanted = msgspec.json.encode([[id.profile, id.type.value, id.name] for id in ids]).decode()
        with as_written():
            return {
                ArchiveId(profile, TYPES[type], name): LastChecked(
                    None if verified_us is None else time_of(verified_us), None if fault is None else Fault(fault)
                )
                for profile, type, name, verified_us, fault in self._all(_CHECKED, {"ids": wanted})
            }

    def note_fault(self, transaction: Transaction, archive: BackupArchive, fault: Fault) -> None:
        """Note in *transaction* how the damage of *archive* shows."""
        transaction.run(self._note_fault, _noted(archive, None, False, None) | {"fault": fault.value})

    def want(self, profile: str | None = None) -> int:
        if not may_exist(profile):
            return 0
        statement = self._want if profile is None else self._want_of_profile
        values: Values = {} if profile is None else {"of_profile": profile}
        return self._write(lambda transaction: transaction.run(statement, values))

    def note(
        self,
        archive: BackupArchive,
        verified_at: datetime | None,
        *,
        is_wanted: bool = False,
        is_marked: bool | None = None,
    ) -> None:
        values = _noted(archive, verified_at, is_wanted, is_marked)
        self._write(lambda transaction: transaction.run(self._note, values))

    def note_right(self, found: Sequence[FoundRight]) -> None:
        values = [_noted(one.archive, one.verified_at, False, one.is_marked) for one in found]

        def noted(transaction: Transaction) -> None:
            for row in values:
                transaction.run(self._note, row)

        self._write(noted)

    def forget_gone(self) -> None:
        self._write(lambda transaction: transaction.run(_FORGET_GONE, {}))

    def _insert(self) -> Any:
        return (sqlite.insert if self._dialect == "sqlite" else postgresql.insert)(checks).inline()

    @staticmethod
    def _replacing(insert: Any) -> Any:
        """*insert*, which replaces what is noted; what is known of the same bytes stays where nothing new is."""
        new = insert.excluded
        is_the_same = and_(_c.sha256 == new.sha256, _c.received_us == new.received_us)
        return insert.on_conflict_do_update(
            index_elements=[_c.profile, _c.type, _c.name],
            set_={
                "verified_us": func.coalesce(new.verified_us, case((is_the_same, _c.verified_us), else_=null())),
                "marked": func.coalesce(new.marked, case((is_the_same, _c.marked), else_=null())),
                "sha256": new.sha256,
                "received_us": new.received_us,
                "wanted": new.wanted,
                "fault": case((and_(is_the_same, new.verified_us.is_(None)), _c.fault), else_=null()),
            },
        )

    @staticmethod
    def _replacing_fault(insert: Any) -> Any:
        """*insert*, which notes a fault beside what is known of the same bytes."""
        new = insert.excluded
        is_the_same = and_(_c.sha256 == new.sha256, _c.received_us == new.received_us)
        return insert.on_conflict_do_update(
            index_elements=[_c.profile, _c.type, _c.name],
            set_={
                "verified_us": case((is_the_same, _c.verified_us), else_=null()),
                "marked": case((is_the_same, _c.marked), else_=null()),
                "wanted": case((is_the_same, _c.wanted), else_=new.wanted),
                "sha256": new.sha256,
                "received_us": new.received_us,
                "fault": new.fault,
            },
        )


def _noted(archive: BackupArchive, verified_at: datetime | None, is_wanted: bool, is_marked: bool | None) -> Values:
    return identity(archive.id) | {
        "sha256": archive.digests.sha256,
        "received_us": microseconds(archive.received_at),
        "verified_us": None if verified_at is None else microseconds(verified_at),
        "wanted": is_wanted,
        "marked": is_marked,
        "fault": None,
    }


def _unread(row: tuple[Any, ...]) -> Unread:
    verified_us, is_wanted, is_marked, *archive = row
    with as_written():
        verified_at = None if verified_us is None else time_of(verified_us)
        return Unread(archive_of(archive), verified_at, bool(is_wanted), bool(is_marked))


_a, _c = archives.c, checks.c
_COLUMNS = ["profile", "type", "name", "sha256", "received_us", "verified_us", "wanted", "marked", "fault"]
KNOWN = archives.outerjoin(
    checks,
    and_(
        _c.profile == _a.profile,
        _c.type == _a.type,
        _c.name == _a.name,
        _c.sha256 == _a.sha256,
        _c.received_us == _a.received_us,
    ),
)
"""The archives with what is noted of their bytes."""

_is_wanted = func.coalesce(_c.wanted, false())
KNOWN_RIGHT_US = func.coalesce(_c.verified_us, _a.received_us)
"""When the bytes of an archive were last known to be right, see `Unread`."""

_is_unread = and_(_a.state == ArchiveState.STORED.value, bindparam("before") > KNOWN_RIGHT_US)
_is_due = or_(_is_wanted, _is_unread)
_SHOWN = select(_c.verified_us, _is_wanted, _c.marked, *ARCHIVE).select_from(KNOWN).where(LISTED)
_in_order = (_is_wanted.desc(), KNOWN_RIGHT_US, _a.profile, _a.type, _a.name)

_DUE = _SHOWN.where(_is_due).order_by(*_in_order).limit(bindparam("limit"))
_WANTED = _SHOWN.where(_is_wanted).order_by(*_in_order).limit(bindparam("limit"))
_COUNT = select(func.count()).select_from(KNOWN).where(LISTED, _is_due)
_SINCE = select(_a.profile, func.count()).select_from(KNOWN).where(LISTED, _is_unread).group_by(_a.profile)
_SINCE_OF_PROFILE = _SINCE.where(_a.profile == bindparam("of_profile"))
_FIND = _SHOWN.where(_a.profile == bindparam("profile"), _a.type == bindparam("type"), _a.name == bindparam("name"))
_CHECKED = (
    select(
        _a.profile,
        _a.type,
        _a.name,
        _c.verified_us,
        case((_a.state == ArchiveState.DAMAGED.value, _c.fault), else_=null()),
    )
    .select_from(KNOWN)
    .where(LISTED, is_one_of_identities((_a.profile, _a.type, _a.name), "ids"))
)
_ALL_WANTED = select(_a.profile, _a.type, _a.name, _a.sha256, _a.received_us, null(), true(), null(), null()).where(
    LISTED
)
_WANTED_OF_PROFILE = _ALL_WANTED.where(_a.profile == bindparam("of_profile"))
_FORGET_GONE = delete(checks).where(
    ~select(_a.seq).where(_a.profile == _c.profile, _a.type == _c.type, _a.name == _c.name).exists()
)
