"""
Leases in the database of the catalog: one row for each name, which stays, so that its fence only grows.

Each method is one statement without a transaction around it, and waits for no other writer of the catalog: a lease must
be renewed in time, also while the whole catalog is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import msgspec
from attrs import define, field
from sqlalchemy import bindparam, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ....domain.errors.capacity import TurnLost
from ....domain.ports.upkeep.leases import Fence, Renewed
from ..engine import is_one_of
from ..rows import Rows, Values
from ..schema import leases
from ..statements import Transaction
from .database_clock import DatabaseClock

_Result = TypeVar("_Result")


class _AtOnce(Protocol):
    def __call__(self, statement: Any, values: Values) -> Rows: ...


@define(eq=False)
class SqlLeaseTable:
    """`LeaseTable` in a database; *at_once* runs one statement and returns its rows."""

    _at_once: _AtOnce
    _dialect: str
    _take: Any = field(init=False)

    @_take.default
    def _taking(self) -> Any:
        insert = (sqlite.insert if self._dialect == "sqlite" else postgresql.insert)(leases).values(
            fence=literal(1), until_us=_UNTIL, is_wanted=literal(False)
        )
        return insert.on_conflict_do_update(
            index_elements=[_l.name],
            set_={
                _l.holder: insert.excluded.holder,
                _l.fence: _l.fence + literal(1),
                _l.until_us: insert.excluded.until_us,
                _l.is_wanted: literal(False),
            },
            where=or_(_l.until_us <= DatabaseClock(), _l.holder == insert.excluded.holder),
        ).returning(_l.fence)

    def take(self, name: str, holder: str, ttl: timedelta) -> int | None:
        for (fence,) in self._at_once(self._take, {"name": name, "holder": holder, "ttl_us": _length(ttl)}):
            return int(fence)
        self._at_once(_WANT, {"sought": name})
        return None

    def renew(self, holder: str, ttl: timedelta) -> Mapping[str, Renewed]:
        rows = self._at_once(_RENEW, {"whose": holder, "ttl_us": _length(ttl)})
        return {name: Renewed(fence, bool(is_wanted)) for name, fence, is_wanted in rows}

    def give_up(self, name: str, holder: str, fence: int) -> None:
        self._at_once(_GIVE_UP, {"sought": name, "whose": holder, "which": fence})

    def held(self, names: Collection[str]) -> set[str]:
        asked: Values = {"names": msgspec.json.encode(list(names)).decode()}
        return {name for (name,) in self._at_once(_HELD, asked)}


def while_held(work: Callable[[Transaction], _Result], fences: Collection[Fence]) -> Callable[[Transaction], _Result]:
    """*work* in a transaction in which all *fences* still hold; else it raises TurnLost."""
    if not fences:
        return work

    def fenced(transaction: Transaction) -> _Result:
        check_held(transaction, fences)
        return work(transaction)

    return fenced


def check_held(transaction: Transaction, fences: Collection[Fence]) -> None:
    """Raises TurnLost: a lease was lost; whoever takes one over waits for the end of *transaction*."""
    for fence in fences:
        if not transaction.rows(_IS_HELD, {"sought": fence.name, "which": fence.fence}):
            raise TurnLost


def is_current(transaction: Transaction, name: str, fence: int) -> bool:
    """Whether nobody took the lease *name* since it got *fence*; who wants to take it waits for *transaction*."""
    return bool(transaction.rows(_CURRENT, {"sought": name, "which": fence}))


def _length(ttl: timedelta) -> int:
    return ttl // timedelta(microseconds=1)


_l = leases.c
_UNTIL = DatabaseClock() + bindparam("ttl_us", type_=_l.until_us.type)
_is_running = _l.until_us > DatabaseClock()
_of_name = _l.name == bindparam("sought")
_ours = _l.holder == bindparam("whose")

_WANT = update(leases).where(_of_name, _is_running, ~_l.is_wanted).values(is_wanted=literal(True)).returning(_l.name)
_RENEW = update(leases).where(_ours, _is_running).values(until_us=_UNTIL).returning(_l.name, _l.fence, _l.is_wanted)
_GIVE_UP = (
    update(leases)
    .where(_of_name, _ours, _l.fence == bindparam("which"))
    .values(until_us=DatabaseClock())
    .returning(_l.name)
)
_IS_HELD = select(_l.fence).where(_of_name, _l.fence == bindparam("which"), _is_running).with_for_update(read=True)
_CURRENT = select(_l.fence).where(_of_name, _l.fence == bindparam("which")).with_for_update(read=True)
_HELD = select(_l.name).where(is_one_of(_l.name, "names"), _is_running)
