"""
A database as the tables beside the catalog use it.

The rule: these tables have connections and locks of their own. A line of the audit log need not wait until a catalog of
a million entries is replaced, and commands on a server's host use the tables without opening the catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from attrs import define, field
from sqlalchemy import Engine, Executable, bindparam, select, update

from ....domain.errors.capacity import BackendUnavailable
from ..engine import Writer, connect, read, translated
from ..rows import Rows, Values
from ..schema import versions
from ..shared_transactions import SharedTransactions
from ..statements import Statements, Transaction
from .exclusion import Exclusion, excluding

_Result = TypeVar("_Result")


@define(eq=False)
class SharedTables:
    """A database with the tables of the catalog; made by `open`. Safe to call from any number of threads."""

    engine: Engine
    busy_seconds: float
    _statements: Statements = field(init=False)
    _opened: list[Writer] = field(factory=list, init=False)
    _settings: SharedTransactions[Transaction] = field(init=False)
    _is_closed: bool = field(default=False, init=False)

    @_statements.default
    def _for_its_dialect(self) -> Statements:
        return Statements(self.engine.dialect)

    @_settings.default
    def _of_its_own(self) -> SharedTransactions[Transaction]:
        return SharedTransactions(self.beginning(Exclusion.SETTINGS), self.busy_seconds)

    @classmethod
    def open(cls, url: str, *, busy_seconds: float = 5.0) -> SharedTables:
        """
        The tables in the database at *url*, as `SqlCatalog.open` made them; nothing is connected yet.

        *busy_seconds* is how long a writer waits for its turn before `CatalogBusy`.

        Raises:
            InvalidSetting: *url* has another scheme, or its driver is missing.
        """
        return cls(connect(url, busy_seconds), busy_seconds)

    def all(self, statement: Executable, values: Values) -> Rows:
        """Every row that *statement* finds. Raises the domain's errors."""
        self._check_open()
        with translated(self.engine):
            return read(self.engine, lambda connection: self._statements.run(connection, statement, values).fetchall())

    def write(self, work: Callable[[Transaction], _Result]) -> _Result:
        """The result of *work*, durably committed; it may run twice, see `SharedTransactions.together`."""
        self._check_open()
        with translated(self.engine):
            return self._settings.together(work)

    def beginning(self, exclusion: Exclusion) -> Callable[[str | None], AbstractContextManager[Transaction]]:
        """What begins a transaction that excludes others of that kind, on a connection of its own, one at a time."""
        writer, begin = Writer(self.engine), excluding(self.engine.dialect.name, self.busy_seconds, exclusion)
        self._opened.append(writer)

        @contextmanager
        def transaction(_of: str | None = None) -> Iterator[Transaction]:
            self._check_open()
            with writer.transaction(begin) as connection:
                yield Transaction(connection, self._statements)

        return transaction

    def close(self) -> None:
        """End all connections. Idempotent."""
        self._is_closed = True
        for writer in self._opened:
            writer.close()
        self.engine.dispose()

    def _check_open(self) -> None:
        if self._is_closed:
            raise BackendUnavailable("catalog", "it is closed")


def version_of(tables: SharedTables, what: str) -> int:
    """How often *what* was changed."""
    return next((int(version) for (version,) in tables.all(_VERSION, {"of": what})), 0)


def changed(transaction: Transaction, what: str) -> None:
    """Count a change of *what*, which *transaction* makes; it excludes others that change it."""
    if transaction.run(_CHANGED, {"of": what}) == 0:
        transaction.run(_FIRST_CHANGE, {"what": what, "version": 1})


_VERSION = select(versions.c.version).where(versions.c.what == bindparam("of"))
_CHANGED = update(versions).where(versions.c.what == bindparam("of")).values(version=versions.c.version + 1)
_FIRST_CHANGE = versions.insert().inline()
