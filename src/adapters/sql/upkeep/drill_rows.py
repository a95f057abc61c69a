"""Restore drills in the database of the SQL catalog."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from attrs import frozen
from sqlalchemy import bindparam, delete, func, or_, select, update

from ....domain.drills.comparison import NameDiffers
from ....domain.drills.drill import Drill, DrilledArchive, DrillKind, DrillOutcome, DrillReport, DrillWay
from ....domain.errors.drills import DrillNotFound
from ....domain.identity.archive_id import ArchiveId, BackupType
from ....domain.ports.upkeep.drills import KEPT_DRILLS
from ....domain.text.paths import path_bytes, path_text, whole
from ..rows import Query, Rows, Values, as_written, may_exist, microseconds, time_of
from ..schema import drills
from ..statements import Transaction

_Result = TypeVar("_Result")


class _Read(Protocol):
    def __call__(self, statement: Query, values: Values) -> Rows: ...


class _Write(Protocol):
    def __call__(self, work: Callable[[Transaction], _Result]) -> _Result: ...


@frozen
class SqlDrillTable:
    """`DrillTable` in a database, by the queries and the transactions of its catalog."""

    _all: _Read
    _write: _Write

    def begin(self, drill: Drill) -> None:
        def enter(transaction: Transaction) -> None:
            of: Values = {"of_profile": drill.profile, "of_kind": drill.kind.value}
            if drill.who is None:
                transaction.run(_ABANDON_ANONYMOUS, of)
            else:
                transaction.run(_ABANDON, of | {"of_who": drill.who})
            transaction.run(_ENTER, _values(drill))
            oldest = transaction.rows(_OLDEST, {"profile": drill.profile, "kind": drill.kind.value})
            if oldest:
                transaction.run(_DROP, of | {"oldest": oldest[0][0]})

        self._write(enter)

    def end(self, drill: Drill) -> None:
        values = {name: value for name, value in _values(drill).items() if name in ("outcome", "ended_us", "told")}
        values["of_id"] = drill.id
        if not self._write(lambda transaction: transaction.run(_END, values)):
            raise DrillNotFound(drill.id)

    def find(self, id: str) -> Drill:
        for row in self._all(_FIND, {"id": id}) if id.isascii() else ():
            return _drill(row)
        raise DrillNotFound(id)

    def recent(self, profile: str | None = None, *, kind: DrillKind | None = None, limit: int = 100) -> list[Drill]:
        if not may_exist(profile):
            return []
        wanted: Values = {"limit": limit}
        if profile is not None:
            wanted["profile"] = profile
        if kind is not None:
            wanted["kind"] = kind.value
        return [_drill(row) for row in self._all(_RECENT[profile is not None, kind is not None], wanted)]

    def latest(self, kind: DrillKind, *, equal_only: bool = False) -> dict[str, Drill]:
        statement = _LATEST_EQUAL if equal_only else _LATEST
        found = (_drill(row) for row in self._all(statement, {"kind": kind.value}))
        return {drill.profile: drill for drill in found}


def _values(drill: Drill) -> Values:
    return {
        "id": drill.id,
        "profile": drill.profile,
        "kind": drill.kind.value,
        "who": drill.who,
        "outcome": drill.outcome.value,
        "started_us": microseconds(drill.started_at),
        "ended_us": None if drill.ended_at is None else microseconds(drill.ended_at),
        "told": _text(drill),
    }


def _text(drill: Drill) -> str:
    report = drill.report
    told = {
        "point": [drill.point.type.value, drill.point.name],
        "turn": drill.turn,
        "way": drill.way.value,
        "archives": [
            [one.id.profile, one.id.type.value, one.id.name, one.sha256, one.size_bytes, one.is_incremental]
            for one in drill.archives
        ],
        "is_exact": drill.is_exact,
        "folders": [path_text(folder) for folder in drill.folders],
        "share": drill.share,
        "report": {
            "expected": report.expected,
            "names": report.names,
            "restored_bytes": report.restored_bytes,
            "seconds": report.seconds,
            "different": report.different,
            "differences": [[path_text(one.path), one.what] for one in report.differences],
            "not_compared": report.not_compared,
            "tar": report.tar,
            "sandbox": report.sandbox,
            "said": report.said,
            "error": report.error,
        },
    }
    return whole(json.dumps(told))


def _drill(row: tuple[Any, ...]) -> Drill:
    id, profile, kind, who, outcome, started_us, ended_us, text = row
    with as_written():
        told = json.loads(text)
        report = told["report"]
        type, name = told["point"]
        return Drill(
            id,
            DrillKind(kind),
            ArchiveId(profile, BackupType(type), name),
            told["turn"],
            DrillWay(told["way"]),
            tuple(
                DrilledArchive(ArchiveId(of, BackupType(type), name), sha256, size, is_incremental)
                for of, type, name, sha256, size, is_incremental in told["archives"]
            ),
            time_of(started_us),
            who,
            told["is_exact"],
            tuple(map(path_bytes, told["folders"])),
            told["share"],
            DrillOutcome(outcome),
            None if ended_us is None else time_of(ended_us),
            DrillReport(
                **report
                | {
                    "differences": tuple(NameDiffers(path_bytes(path), what) for path, what in report["differences"]),
                    "not_compared": tuple(report["not_compared"]),
                    "said": tuple(report["said"]),
                }
            ),
        )


_d = drills.c
_SHOWN = select(_d.id, _d.profile, _d.kind, _d.who, _d.outcome, _d.started_us, _d.ended_us, _d.told)
_ENTER = drills.insert().inline()
_OPEN = DrillOutcome.OPEN.value
_alike = (_d.profile == bindparam("of_profile"), _d.kind == bindparam("of_kind"))
_ABANDON = (
    update(drills)
    .where(*_alike, _d.outcome == _OPEN, _d.who == bindparam("of_who"))
    .values(outcome=DrillOutcome.ABANDONED.value)
)
_ABANDON_ANONYMOUS = (
    update(drills).where(*_alike, _d.outcome == _OPEN, _d.who.is_(None)).values(outcome=DrillOutcome.ABANDONED.value)
)
_OLDEST = (
    select(_d.number)
    .where(_d.profile == bindparam("profile"), _d.kind == bindparam("kind"))
    .order_by(_d.number.desc())
    .offset(KEPT_DRILLS)
    .limit(1)
)
_DROP = delete(drills).where(*_alike, _d.number <= bindparam("oldest"))
_END = update(drills).where(_d.id == bindparam("of_id"), _d.outcome == _OPEN)
_FIND = _SHOWN.where(_d.id == bindparam("id"))
_RECENT = {
    (of_profile, of_kind): _SHOWN.where(
        *([_d.profile == bindparam("profile")] if of_profile else ()),
        *([_d.kind == bindparam("kind")] if of_kind else ()),
    )
    .order_by(_d.number.desc())
    .limit(bindparam("limit"))
    for of_profile in (False, True)
    for of_kind in (False, True)
}
_is_equal = _d.outcome == DrillOutcome.EQUAL.value
_ended = or_(_is_equal, _d.outcome == DrillOutcome.DIFFERENT.value, _d.outcome == DrillOutcome.FAILED.value)
_newest = select(func.max(_d.number)).where(_d.kind == bindparam("kind")).group_by(_d.profile)
_LATEST = _SHOWN.where(_d.number.in_(_newest.where(_ended)))
_LATEST_EQUAL = _SHOWN.where(_d.number.in_(_newest.where(_is_equal)))
