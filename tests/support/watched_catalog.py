"""An SQL catalog whose driver reports every statement and commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.engine import sqlite3

Told = Callable[[str, Sequence[Any]], None]


def _nothing(_statement: str, _values: Sequence[Any]) -> None:
    pass


@contextmanager
def watched(file: Path, ran: Told = _nothing, busy_seconds: float = 60) -> Iterator[tuple[SqlCatalog, list[None]]]:
    """
    The catalog in *file*, and a list that has an element for each of its commits.

    *ran* is called after each statement with its values; for several rows, with those of one of them.
    """
    commits: list[None] = []

    class Cursor(sqlite3.Cursor):
        def execute(self, statement: str, values: Sequence[Any] = ()) -> Cursor:  # type: ignore[override]
            super().execute(statement, values)
            if statement.startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")):
                ran(statement, values)
            return self

        def executemany(self, statement: str, rows: Iterable[Any]) -> Cursor:
            for values in rows:
                self.execute(statement, values)
            return self

    class Connection(sqlite3.Connection):
        def cursor(self, *_: object) -> Cursor:  # type: ignore[override]
            return super().cursor(Cursor)

        def commit(self) -> None:
            super().commit()
            commits.append(None)

    def connection() -> Connection:
        return sqlite3.connect(file, isolation_level=None, check_same_thread=False, factory=Connection)

    SqlCatalog.open(f"sqlite:///{file}").close()
    engine = create_engine(f"sqlite:///{file}", module=sqlite3, creator=connection)
    with closing(SqlCatalog(engine, busy_seconds)) as catalog:
        yield catalog, commits
