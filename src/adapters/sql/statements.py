"""
SQLAlchemy statements, compiled once for a database and run by its driver.

SQLAlchemy statements are independent of the database; compiling one for the driver at every run takes several times as
long as SQLite needs for a row. So a statement is compiled when it is first run with values of these names, and its text
goes to a cursor of the driver, with the values as they are: no column needs a conversion.

The rule: no statement here has a part that depends on its values, such as a list in an IN; see `engine.is_one_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from attrs import define, field, frozen
from sqlalchemy import Dialect, Executable
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor

from .rows import Rows, Values

_Arguments: TypeAlias = Any
"""Values by position, or by name, as the driver expects them."""


@frozen
class _Prepared:
    text: str
    arguments: Callable[[Values], _Arguments]


@define
class Statements:
    """The statements compiled for *dialect*; thread-safe."""

    dialect: Dialect
    _prepared: dict[tuple[Executable, tuple[str, ...]], _Prepared] = field(factory=dict, init=False)

    def run(self, connection: DBAPIConnection, statement: Executable, values: Values) -> DBAPICursor:
        """Run *statement*; the caller must fetch all rows of the cursor."""
        prepared = self._of(statement, values)
        cursor = connection.cursor()
        cursor.execute(prepared.text, prepared.arguments(values))
        return cursor

    def run_each(self, connection: DBAPIConnection, statement: Executable, rows: Sequence[Values]) -> DBAPICursor:
        """Run *statement*, which returns no rows, with each of *rows*, all with the same names; at least one."""
        if len(rows) == 1:
            return self.run(connection, statement, rows[0])
        prepared = self._of(statement, rows[0])
        cursor = connection.cursor()
        cursor.executemany(prepared.text, [prepared.arguments(row) for row in rows])
        return cursor

    def _of(self, statement: Executable, values: Values) -> _Prepared:
        key = (statement, tuple(values))
        found = self._prepared.get(key)
        if found is None:
            found = self._prepared[key] = self._compiled(statement, key[1])
        return found

    def _compiled(self, statement: Executable, names: tuple[str, ...]) -> _Prepared:
        compiled = statement.compile(dialect=self.dialect, column_keys=list(names))  # type: ignore[attr-defined]
        own: Values = {name: value for name, value in compiled.params.items() if name not in names}
        if not compiled.positional:
            return _Prepared(str(compiled), lambda values: {**own, **values})
        order: list[str] = compiled.positiontup
        if not own:
            return _Prepared(str(compiled), lambda values: [values[name] for name in order])
        return _Prepared(str(compiled), lambda values: [values[n] if n in values else own[n] for n in order])


@frozen
class Transaction:
    """A running transaction, on a connection of the driver. It *holds* the locks of some profiles, see `exclusion`."""

    _connection: DBAPIConnection
    _statements: Statements
    holds: set[str] = field(factory=set)

    @property
    def dialect(self) -> str:
        """What kind of database it is in."""
        return self._statements.dialect.name

    def rows(self, statement: Executable, values: Values) -> Rows:
        """The rows that *statement* finds, or returns from its change."""
        return self._statements.run(self._connection, statement, values).fetchall()

    def run(self, statement: Executable, values: Values) -> int:
        """Run a change that returns no rows; returns how many rows it changed."""
        return self._statements.run(self._connection, statement, values).rowcount

    def run_each(self, statement: Executable, rows: Sequence[Values]) -> int:
        """The same with each of *rows*, which may be empty."""
        return self._statements.run_each(self._connection, statement, rows).rowcount if rows else 0
