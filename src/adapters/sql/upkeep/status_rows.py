"""What is kept about profiles, in the database of the SQL catalog."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Protocol, TypeAlias, TypeVar

import msgspec
from attrs import frozen
from sqlalchemy import bindparam, case, delete, false, func, literal, or_, select

from ....domain.watching.kept_status import KeptStatus, StatusFilter
from ....domain.watching.light import Concern, ConcernKind, Light
from ....domain.watching.slots import Absence
from ..engine import has, is_one_of
from ..queries import in_order
from ..rows import Query, Rows, Values, as_written, microseconds, time_of
from ..schema import EVERYBODY, absences, linked_profiles, profile_status, totals
from ..statements import Transaction

_Result = TypeVar("_Result")
_KEPT_ABSENCES = 100
_LIGHTS = {light.value: light for light in Light}
_ALWAYS = -(1 << 62)
_MAY_BE_IN_A_NAME = re.compile(r"[A-Za-z0-9._-]*", re.ASCII)
"""What else somebody looks for may be no text for a database."""

_SelectOf: TypeAlias = Callable[[bool, bool, bool], Query]
"""The query with conditions on the profiles, on those left out, and on a text in the name, or without them."""


class _Read(Protocol):
    def __call__(self, statement: Query, values: Values) -> Rows: ...


class _Write(Protocol):
    def __call__(self, work: Callable[[Transaction], _Result]) -> _Result: ...


@frozen
class SqlStatusTable:
    """`StatusTable` in a database, by the queries and the transactions of its catalog."""

    _all: _Read
    _write: _Write

    def due(
        self, stamp: str, now: datetime, *, limit: int, profiles: frozenset[str] | None = None
    ) -> list[tuple[str, int]]:
        values: Values = {"stamp": stamp, "now": microseconds(now), "limit": limit}
        if profiles is None:
            rows = self._all(_DUE, values)
        else:
            rows = self._all(_DUE_OF, {**values, "profiles": in_order(profiles)})
        return [(profile, int(version)) for profile, version in rows]

    def gone(self) -> list[str]:
        return [profile for (profile,) in self._all(_GONE, {})]

    def keep(self, statuses: Sequence[KeptStatus]) -> None:
        def replace(transaction: Transaction) -> None:
            transaction.run_each(_FORGET, [{"of_profile": one.profile} for one in statuses])
            transaction.run_each(_KEEP, [_values(one) for one in statuses])

        self._write(replace)

    def forget(self, profiles: Collection[str]) -> None:
        rows: list[Values] = [{"of_profile": profile} for profile in profiles]
        self._write(lambda transaction: transaction.run_each(_FORGET, rows))

    def all(self) -> list[KeptStatus]:
        rows = self._all(_ALL, {})
        with as_written():
            return [_status(*row) for row in rows]

    def count_lights(self, asked: StatusFilter) -> dict[Light, int]:
        found = Counter[Light]()
        with as_written():
            for light, count, known in self._asked(_counted, asked):
                found[_LIGHTS[light]] += known
                found[Light.GREY] += count - known
        return dict(+found)

    def oldest_look(self, asked: StatusFilter) -> datetime | None:
        ((oldest_us,),) = self._asked(_oldest, asked) or ((None,),)
        return None if oldest_us is None else time_of(oldest_us)

    def with_light(self, light: Light, asked: StatusFilter, *, start: int = 0, limit: int) -> list[KeptStatus]:
        lit = _unknown_too if light is Light.GREY and asked.known_since is not None else _lit
        rows = self._asked(lit, asked, {"light": light.value, "limit": limit, "start": start})
        with as_written():
            return [_status(*row) for row in rows]

    def _asked(self, select_of: _SelectOf, asked: StatusFilter, values: Values | None = None) -> Rows:
        if not _MAY_BE_IN_A_NAME.fullmatch(asked.text):
            return []
        bound: Values = dict(values or {})
        bound["since"] = _ALWAYS if asked.known_since is None else microseconds(asked.known_since)
        if asked.profiles is not None:
            bound["profiles"] = in_order(asked.profiles)
        if asked.without:
            bound["without"] = in_order(asked.without)
        if asked.text:
            bound["text"] = asked.text
        return self._all(select_of(asked.profiles is not None, bool(asked.without), bool(asked.text)), bound)

    def mark(self, profile: str | None = None) -> str:
        if profile is None:
            (row,) = self._all(_MARK, {})
        else:
            (row,) = self._all(_MARK_ONE, {"of_profile": profile})
        return " ".join(map(str, row))

    def absences(self) -> list[Absence]:
        return [Absence(time_of(since_us), time_of(until_us)) for since_us, until_us in self._all(_ABSENCES, {})]

    def note_absence(self, absence: Absence) -> None:
        def note(transaction: Transaction) -> None:
            since_us = microseconds(absence.since)
            transaction.run(_DROP_ABSENCE, {"since": since_us})
            transaction.run(_NOTE_ABSENCE, {"since_us": since_us, "until_us": microseconds(absence.until)})
            known = transaction.rows(_ABSENCES, {})
            transaction.run_each(_DROP_ABSENCE, [{"since": since} for since, _ in known[:-_KEPT_ABSENCES]])

        self._write(note)


def _values(status: KeptStatus) -> Values:
    reasons = [(one.kind.value, one.light.value, one.text) for one in status.concerns]
    return {
        "profile": status.profile,
        "version": status.version,
        "stamp": status.stamp,
        "worked_out_us": microseconds(status.worked_out_at),
        "look_us": microseconds(status.look_at),
        "light": status.light.value,
        "received_us": microseconds(status.received_at),
        "restorable_us": None if status.restorable_at is None else microseconds(status.restorable_at),
        "archives": status.archives,
        "size_bytes": status.size_bytes,
        "chain_archives": status.chain_archives,
        "overdue": status.is_overdue,
        "braked": status.is_braked,
        "reasons": msgspec.json.encode(reasons).decode(),
    }


def _status(
    profile: str,
    version: int,
    stamp: str,
    worked_out_us: int,
    look_us: int,
    received_us: int,
    restorable_us: int | None,
    archives: int,
    size_bytes: int,
    chain_archives: int,
    overdue: bool,
    braked: bool,
    reasons: str,
) -> KeptStatus:
    told: list[Any] = msgspec.json.decode(reasons)
    return KeptStatus(
        profile,
        version,
        stamp,
        time_of(worked_out_us),
        time_of(look_us),
        time_of(received_us),
        None if restorable_us is None else time_of(restorable_us),
        archives,
        int(size_bytes),
        chain_archives,
        bool(overdue),
        bool(braked),
        tuple(Concern(ConcernKind(kind), Light(light), text) for kind, light, text in told),
    )


_s, _p, _t = profile_status.c, linked_profiles.c, totals.c
_has_archives = (
    select(_t.number).where(_t.profile == _p.profile, _t.archives > literal(0)).correlate(linked_profiles).exists()
)
_may_be_another = or_(
    _s.profile.is_(None),
    _s.version != _p.version,
    _s.stamp != bindparam("stamp"),
    _s.look_us <= bindparam("now"),
)
_DUE = (
    select(_p.profile, _p.version)
    .outerjoin_from(linked_profiles, profile_status, _s.profile == _p.profile)
    .where(
        # in a CASE, so that archives are looked for only where all else is so: that takes twice as long as all else
        case((_may_be_another, _has_archives), else_=false()),
        _p.profile != literal(EVERYBODY),
    )
    .order_by(_p.profile)
    .limit(bindparam("limit"))
)
_DUE_OF = _DUE.where(is_one_of(_p.profile, "profiles"))
_GONE = (
    select(_s.profile)
    .where(~select(_t.number).where(_t.profile == _s.profile, _t.archives > literal(0)).exists())
    .order_by(_s.profile)
)
_FORGET = delete(profile_status).where(_s.profile == bindparam("of_profile"))
_KEEP = profile_status.insert().inline()
_ALL = select(
    _s.profile,
    _s.version,
    _s.stamp,
    _s.worked_out_us,
    _s.look_us,
    _s.received_us,
    _s.restorable_us,
    _s.archives,
    _s.size_bytes,
    _s.chain_archives,
    _s.overdue,
    _s.braked,
    _s.reasons,
).order_by(_s.profile)


def _chosen(query: Query, has_profiles: bool, has_without: bool, has_text: bool) -> Query:
    if has_profiles:
        query = query.where(is_one_of(_s.profile, "profiles"))
    if has_without:
        query = query.where(~is_one_of(_s.profile, "without"))
    return query.where(has(_s.profile, "text")) if has_text else query


_is_known = _s.worked_out_us >= bindparam("since")


@cache
def _counted(has_profiles: bool, has_without: bool, has_text: bool) -> Query:
    counted = select(_s.light, func.count(), func.count().filter(_is_known)).group_by(_s.light)
    return _chosen(counted, has_profiles, has_without, has_text)


@cache
def _oldest(has_profiles: bool, has_without: bool, has_text: bool) -> Query:
    return _chosen(select(func.min(_s.worked_out_us)), has_profiles, has_without, has_text)


@cache
def _lit(has_profiles: bool, has_without: bool, has_text: bool) -> Query:
    lit = _ALL.where(_s.light == bindparam("light"), _is_known)
    return _chosen(lit, has_profiles, has_without, has_text).limit(bindparam("limit")).offset(bindparam("start"))


@cache
def _unknown_too(has_profiles: bool, has_without: bool, has_text: bool) -> Query:
    grey = _ALL.where(or_(_s.light == bindparam("light"), ~_is_known))
    return _chosen(grey, has_profiles, has_without, has_text).limit(bindparam("limit")).offset(bindparam("start"))


_kept = select(func.count().label("count"), func.max(_s.worked_out_us).label("newest"))
_present = select(func.count().label("count"), func.sum(_p.version).label("versions"))


def _mark(kept: Query, present: Query) -> Query:
    return select(*kept.subquery().c, *present.subquery().c)


_MARK = _mark(_kept, _present)
_MARK_ONE = _mark(
    _kept.where(_s.profile == bindparam("of_profile")), _present.where(_p.profile == bindparam("of_profile"))
)
_ABSENCES = select(absences.c.since_us, absences.c.until_us).order_by(absences.c.since_us)
_DROP_ABSENCE = delete(absences).where(absences.c.since_us == bindparam("since"))
_NOTE_ABSENCE = absences.insert().inline()
