"""
Tables of chained lines, to which lines are only ever added: the audit log and the evidence of several servers.

The rule: whoever adds a line holds a lock of the database until it is committed, so that the line is chained to the
one that really precedes it, whichever server wrote that. Writers that wait at the same time add their lines together,
in one transaction, with one statement. Lines are numbered without a gap, and each is as it would be in a file.

If the connection is lost at the commit, nobody knows whether the line is there: it is looked for, under its number,
before it is added again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from attrs import define, field
from sqlalchemy import Executable, Table, bindparam, func, select

from ....domain.access.chain import FIRST, line_digest
from ....domain.errors.capacity import BackendUnavailable
from ..engine import translated
from ..rows import Query, Rows, Values
from ..shared_transactions import SharedTransactions
from ..statements import Transaction
from .exclusion import Exclusion
from .tables import SharedTables

_AGAIN_SECONDS = 5.0  # how long a line is tried to be added while the database is away
_PAUSE_SECONDS = 0.1
_AT_ONCE = 1000  # lines in one statement that takes over


@define(eq=False)
class ChainEnd:
    """
    The end of a chain in a running transaction: the *number* of its newest line, that *line*, None without one, its
    *digest* and, in *kept*, its other columns.
    """

    transaction: Transaction
    number: int
    line: bytes | None
    digest: str
    kept: Values
    new: list[Values] = field(factory=list, init=False)

    def add(self, line: bytes, kept: Values) -> int:
        """Add *line* with other columns; returns its number."""
        self.number, self.line, self.digest, self.kept = self.number + 1, line, line_digest(line), kept
        self.new.append({"number": self.number, "line": line, **kept})
        return self.number


class ChainedRows:
    """The lines of *table*, which has the columns ``number`` and ``line``, and more of its own."""

    def __init__(self, tables: SharedTables, exclusion: Exclusion, table: Table) -> None:
        self._tables = tables
        self._begin = tables.beginning(exclusion)
        self._writers = SharedTransactions(self._chain, tables.busy_seconds)
        self._more = tuple(column.name for column in table.columns if column.name not in ("number", "line"))
        number, line = table.c.number, table.c.line
        self._newest = select(number, line, *(table.c[name] for name in self._more)).order_by(number.desc()).limit(1)
        self._at: Query = select(line).where(number == bindparam("of"))
        self._count: Query = select(func.coalesce(func.max(number), 0))
        self._add = table.insert().inline()
        self._page: Query = (
            select(line, number)
            .where(number > bindparam("after"), number <= bindparam("until"))
            .order_by(number)
            .limit(bindparam("limit"))
        )

    def append(self, make: Callable[[ChainEnd], tuple[bytes, Values]]) -> bytes:
        """
        Add the line, with its other columns, that *make* makes behind the end; returns it, durably there.

        Raises:
            CatalogBusy: there was no turn in time.
            BackendUnavailable: the database was away for some seconds; whether the line is there is not known.
            Whatever *make* raises.
        """
        made: list[tuple[int, bytes]] = []

        def add(end: ChainEnd) -> None:
            if any(end.transaction.rows(self._at, {"of": number}) == [(line,)] for number, line in made):
                return
            line, kept = make(end)
            made.append((end.add(line, kept), line))

        until = time.monotonic() + _AGAIN_SECONDS
        while True:
            try:
                with translated(self._tables.engine):
                    self._writers.together(add)
                return made[-1][1]
            except BackendUnavailable as error:
                if error.what != "catalog" or time.monotonic() >= until:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def look_at_end(self, look: Callable[[ChainEnd], None]) -> None:
        """Let *look* see the end, and add to it, while nobody else adds a line."""
        with translated(self._tables.engine), self._writers.alone() as end:
            look(end)

    def take_over(self, lines: Iterable[tuple[bytes, Values]], holds: Executable) -> bool:
        """
        Add *lines* of a file if the table has none; whether it has them all now, or had them before.

        *holds* finds the row of the line with the digest ``of``.
        """
        with translated(self._tables.engine), self._writers.alone() as end:
            is_first, last = not end.number, FIRST
            for line, kept in lines:
                last = line_digest(line)
                if is_first:
                    end.add(line, kept)
                    if len(end.new) >= _AT_ONCE:
                        self._flush(end)
            return is_first or last == FIRST or bool(end.transaction.rows(holds, {"of": last}))

    def all(self, statement: Executable, values: Values) -> Rows:
        """Every row that *statement* finds."""
        return self._tables.all(statement, values)

    @property
    def newest_number(self) -> int:
        """The number of the newest line, 0 without one."""
        ((number,),) = self._tables.all(self._count, {})
        return int(number)

    def lines(self, at_once: int, page: Query | None = None, **values: str) -> Iterator[bytes]:
        """
        The lines that were there at the first one, in their order, by statements that get *at_once* of them.

        *page* selects, with *values*, from those that have a number above ``after`` and not above ``until``.
        """
        after, until = 0, self.newest_number
        while True:
            rows = self._tables.all(
                self._page if page is None else page, {"after": after, "until": until, "limit": at_once, **values}
            )
            for line, _ in rows:
                yield bytes(line)
            if len(rows) < at_once:
                return
            after = rows[-1][1]

    @contextmanager
    def _chain(self, of: str | None) -> Iterator[ChainEnd]:
        with self._begin(of) as transaction:
            rows = transaction.rows(self._newest, {})
            if rows:
                number, line, *more = rows[0]
                kept: Values = dict(zip(self._more, more, strict=True))
                end = ChainEnd(transaction, number, bytes(line), line_digest(bytes(line)), kept)
            else:
                end = ChainEnd(transaction, 0, None, FIRST, {})
            yield end
            self._flush(end)

    def _flush(self, end: ChainEnd) -> None:
        end.transaction.run_each(self._add, end.new)
        end.new.clear()
