"""How many archives came on each day, in the database of the SQL catalog."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import Any, Protocol

from attrs import define, field
from sqlalchemy import BigInteger, bindparam, case, cast, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from ....domain.identity.archive_id import BackupType
from ....domain.watching.arrived import ArrivedOnDay
from ..engine import is_one_of
from ..queries import those
from ..rows import TYPES, Query, Rows, Values, as_written, may_exist
from ..schema import archives, arrivals
from ..statements import Transaction

_EPOCH = date(1970, 1, 1)
_DAY_US = 86_400_000_000


class _Read(Protocol):
    def __call__(self, statement: Query, values: Values) -> Rows: ...


@define(eq=False)
class SqlArrivalTable:
    """`ArrivalTable` in a database, by the queries of its catalog, whose transactions tell it what comes."""

    _all: _Read
    _dialect: str
    _add: Any = field(init=False)
    _raise: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        insert = (sqlite.insert if self._dialect == "sqlite" else postgresql.insert)(arrivals).inline()
        identity, new = [_d.profile, _d.day, _d.type], insert.excluded
        self._add = insert.on_conflict_do_update(
            index_elements=identity,
            set_={"archives": _d.archives + new.archives, "size_bytes": _d.size_bytes + new.size_bytes},
        )
        recounted = insert.from_select([column.name for column in _d], _COUNTED)
        self._raise = recounted.on_conflict_do_update(
            index_elements=identity,
            set_={name: case((_d[name] > new[name], _d[name]), else_=new[name]) for name in ("archives", "size_bytes")},
        )

    def came(self, transaction: Transaction, came: Iterable[tuple[str, str, int, int]]) -> None:
        """Count archives in *transaction*: of each its profile, type, size, and when it was received."""
        days: dict[tuple[str, int, str], tuple[int, int]] = {}
        for profile, type, size_bytes, received_us in came:
            place = profile, received_us // _DAY_US, type
            count, total = days.get(place, (0, 0))
            days[place] = count + 1, total + size_bytes
        rows: list[Values] = [
            {"profile": profile, "day": day, "type": type, "archives": count, "size_bytes": total}
            for (profile, day, type), (count, total) in sorted(days.items())
        ]
        transaction.run_each(self._add, rows)

    def are(self, transaction: Transaction) -> None:
        """Raise in *transaction* what is less than the entries show."""
        transaction.run(self._raise, {})

    def days(self, first: date, last: date, *, profile: str | None = None) -> list[ArrivedOnDay]:
        if not may_exist(profile):
            return []
        values: Values = {"first": (first - _EPOCH).days, "last": (last - _EPOCH).days}
        if profile is None:
            rows = self._all(_OF_ALL, values)
        else:
            rows = self._all(_OF_PROFILE, values | {"of_profile": profile})
        with as_written():
            return [
                ArrivedOnDay(whose, _EPOCH + timedelta(days=day), TYPES[type], count, size_bytes)
                for whose, day, type, count, size_bytes in rows
            ]

    def came_to(self, profiles: Collection[str], first: date, last: date) -> dict[str, dict[date, bool]]:
        span = range((first - _EPOCH).days, (last - _EPOCH).days + 1)
        values: Values = {**those(profiles), "first": span.start, "last": span.stop - 1}
        of_day = {day: _EPOCH + timedelta(days=day) for day in span}
        found: dict[str, dict[date, bool]] = {}
        with as_written():
            for profile, day, is_full in self._all(_CAME_TO, values):
                if profile not in found:
                    found[profile] = {}
                # that a FULL came on a day is another row than that an INC did
                found[profile][of_day[day]] = bool(is_full) or found[profile].get(of_day[day], False)
        return found

    def sizes(self, profiles: Collection[str], first: date, last: date) -> dict[str, int]:
        values: Values = {**those(profiles), "first": (first - _EPOCH).days, "last": (last - _EPOCH).days}
        return dict(self._all(_SIZES, values))


_a, _d = archives.c, arrivals.c
_day = _a.received_us // literal(_DAY_US, BigInteger)
_COUNTED = (
    select(_a.profile, _day, _a.type, func.count(), cast(func.sum(_a.size_bytes), BigInteger))
    .where(~_a.claimed)
    .group_by(_a.profile, _day, _a.type)
)
_OF_ALL = (
    select(_d.profile, _d.day, _d.type, _d.archives, _d.size_bytes)
    .where(_d.day >= bindparam("first"), _d.day <= bindparam("last"))
    .order_by(_d.profile, _d.day, _d.type)
)
_OF_PROFILE = _OF_ALL.where(_d.profile == bindparam("of_profile"))
_CAME_TO = select(_d.profile, _d.day, _d.type == literal(BackupType.FULL.value)).where(
    is_one_of(_d.profile, "profiles"), _d.day >= bindparam("first"), _d.day <= bindparam("last")
)
# Profile by profile, in the order of the key: by the days alone SQLite would sort what it finds, three times as slow.
_SIZES = (
    select(_d.profile, cast(func.sum(_d.size_bytes), BigInteger))
    .where(is_one_of(_d.profile, "profiles"), _d.day >= bindparam("first"), _d.day <= bindparam("last"))
    .group_by(_d.profile)
)
