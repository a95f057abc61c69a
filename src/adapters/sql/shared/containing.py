"""Looking for bytes within bytes, which databases have different words for; the rest of that is in `engine`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


def contains(column: ColumnElement[bytes], name: str) -> ColumnElement[bool]:
    """A condition: the bytes in *column* contain those that are bound as *name*."""
    return _PlaceOf(column, bindparam(name, type_=LargeBinary)) > 0


class _PlaceOf(FunctionElement[int]):
    inherit_cache = True


@compiles(_PlaceOf, "sqlite")
def _place_sqlite(element: _PlaceOf, compiler: SQLCompiler, **options: Any) -> str:
    within, sought = (compiler.process(part, **options) for part in element.clauses)
    return f"instr({within}, {sought})"


@compiles(_PlaceOf, "postgresql")
def _place_postgresql(element: _PlaceOf, compiler: SQLCompiler, **options: Any) -> str:
    within, sought = (compiler.process(part, **options) for part in element.clauses)
    return f"position({sought} IN {within})"
