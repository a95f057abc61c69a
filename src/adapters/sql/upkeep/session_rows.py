"""Sessions of browsers in the database of the SQL catalog."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from attrs import frozen
from sqlalchemy import bindparam, delete, or_, select, update

from ....domain.access.sessions import Session
from ..rows import Query, Rows, Values, as_written, microseconds, time_of
from ..schema import sessions
from ..statements import Transaction

_Result = TypeVar("_Result")


class _Read(Protocol):
    def __call__(self, statement: Query, values: Values) -> Rows: ...


class _Write(Protocol):
    def __call__(self, work: Callable[[Transaction], _Result]) -> _Result: ...


@frozen
class SqlSessionTable:
    """`SessionTable` in a database, by the queries and the transactions of its catalog."""

    _all: _Read
    _write: _Write

    def add(self, session: Session) -> None:
        row: Values = {
            "sha256": session.sha256,
            "token": session.token,
            "begun_us": microseconds(session.begun_at),
            "used_us": microseconds(session.used_at),
        }
        self._write(lambda transaction: transaction.run(_ADD, row))

    def find(self, sha256: str) -> Session | None:
        with as_written():
            for token, begun_us, used_us in self._all(_FIND, {"of": sha256}):
                return Session(sha256, token, time_of(begun_us), time_of(used_us))
        return None

    def note_use(self, sha256: str, at: datetime) -> None:
        row: Values = {"of": sha256, "used_us": microseconds(at)}
        self._write(lambda transaction: transaction.run(_NOTE_USE, row))

    def end(self, sha256: str) -> None:
        self._write(lambda transaction: transaction.run(_END, {"of": sha256}))

    def sweep(self, begun_before: datetime, used_before: datetime) -> None:
        bounds: Values = {"begun_before": microseconds(begun_before), "used_before": microseconds(used_before)}
        self._write(lambda transaction: transaction.run(_SWEEP, bounds))


_s = sessions.c
_ADD = sessions.insert().inline()
_FIND = select(_s.token, _s.begun_us, _s.used_us).where(_s.sha256 == bindparam("of"))
_NOTE_USE = update(sessions).where(_s.sha256 == bindparam("of"))
_END = delete(sessions).where(_s.sha256 == bindparam("of"))
_SWEEP = delete(sessions).where(or_(_s.begun_us < bindparam("begun_before"), _s.used_us < bindparam("used_before")))
