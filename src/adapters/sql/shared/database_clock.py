"""
The clock of the database, as an expression in its statements.

Leases end by this clock alone: servers have clocks of their own, which may be wrong by any amount.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class DatabaseClock(FunctionElement[int]):
    """Microseconds since 1970, at the moment at which the database evaluates it."""

    inherit_cache = True
    type = BigInteger()


@compiles(DatabaseClock, "sqlite")
def _sqlite(_element: DatabaseClock, _compiler: SQLCompiler, **_options: Any) -> str:
    # in steps of a millisecond; unixepoch('subsec') needs a newer SQLite than some platforms have
    return "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"


@compiles(DatabaseClock, "postgresql")
def _postgresql(_element: DatabaseClock, _compiler: SQLCompiler, **_options: Any) -> str:
    # not now(), which is when the transaction began: it may have waited for others since
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
