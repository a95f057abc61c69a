"""How many bytes were used on each day, in the database of the SQL catalog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any, Protocol, TypeVar

from attrs import define, field
from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from ....domain.identity.archive_id import BackupType
from ....domain.watching.used import UsedOnDay
from ..rows import Query, Rows, Values, as_written
from ..schema import used_days
from ..statements import Transaction

_EPOCH = date(1970, 1, 1)
_Result = TypeVar("_Result")


class _Read(Protocol):
    def __call__(self, statement: Query, values: Values) -> Rows: ...


class _Write(Protocol):
    def __call__(self, work: Callable[[Transaction], _Result]) -> _Result: ...


@define(eq=False)
class SqlUsageTable:
    """`UsageTable` in a database, by the queries and the transactions of its catalog."""

    _all: _Read
    _write: _Write
    _dialect: str
    _keep: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        insert = (sqlite.insert if self._dialect == "sqlite" else postgresql.insert)(used_days).inline()
        changed = {column.name: insert.excluded[column.name] for column in _u if not column.primary_key}
        self._keep = insert.on_conflict_do_update(index_elements=[_u.day], set_=changed)

    def keep(self, days: Sequence[UsedOnDay]) -> None:
        rows: list[Values] = [
            {
                "day": (one.day - _EPOCH).days,
                "full_bytes": one.stored[BackupType.FULL],
                "inc_bytes": one.stored[BackupType.INC],
                "diff_bytes": one.stored[BackupType.DIFF],
                "trash_bytes": one.trash_bytes,
            }
            for one in days
        ]
        self._write(lambda transaction: transaction.run_each(self._keep, rows))

    def days(self, first: date, last: date) -> list[UsedOnDay]:
        rows = self._all(_DAYS, {"first": (first - _EPOCH).days, "last": (last - _EPOCH).days})
        with as_written():
            return [
                UsedOnDay(
                    _EPOCH + timedelta(days=day),
                    {BackupType.FULL: full, BackupType.INC: inc, BackupType.DIFF: diff},
                    trash,
                )
                for day, full, inc, diff, trash in rows
            ]


_u = used_days.c
_DAYS = (
    select(_u.day, _u.full_bytes, _u.inc_bytes, _u.diff_bytes, _u.trash_bytes)
    .where(_u.day >= bindparam("first"), _u.day <= bindparam("last"))
    .order_by(_u.day)
)
