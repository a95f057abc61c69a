"""
Which tables a database has, which ones this version needs, and the way from one to the other while servers run.

The rule: a release only adds to the tables, and what it adds no longer needed is taken away by the one after it. So the
version before goes on beside the new one, until all servers are of that; `compat` holds the oldest revision whose
readers can use the tables as they are. A file belongs to one server, which brings it up to date when it starts. A
database that several servers may use is only changed when an operator says so, in one transaction with a lock.
"""

from __future__ import annotations

import logging

from attrs import frozen
from sqlalchemy import Connection, Engine, inspect, select

from ....domain.errors.capacity import BackendUnavailable
from ....domain.errors.settings import CatalogOlder
from ..engine import connect, translated
from ..schema import HEAD, compat, current_revision, upgrade
from ..shared.exclusion import excluding
from ..shared.tables import SharedTables

_LOG = logging.getLogger("tarkeep.catalog")
_UPGRADE_SERVER = "upgrade this server"


@frozen
class Upgraded:
    """The revisions of the tables *before*, None for an empty database, and *after*."""

    before: str | None
    after: str


def prepare(engine: Engine, busy_seconds: float) -> None:
    """
    See that the database has tables that this version can use: make them in an empty one, and upgrade those in a file.

    Raises:
        FormatUnknown: they are for newer versions only, or of another program.
        CatalogOlder: they are of an older version, and others may use them.
    """
    with translated(engine):
        with engine.connect() as connection:
            found = current_revision(connection)
            if found is not None and found > HEAD and _is_readable(connection):
                _LOG.warning("the catalog has the newer schema %s; this version knows %s, and can use it", found, HEAD)
                return
        if found is not None and found < HEAD and engine.dialect.name != "sqlite":
            raise CatalogOlder(f"the catalog has the schema {found}, and this version needs {HEAD}")
        if found != HEAD:
            _upgrade(engine, busy_seconds)


def upgrade_database(url: str, busy_seconds: float = 5.0) -> Upgraded:
    """
    Bring the tables of the database at *url* up to date, in one transaction; what is newer stays.

    Raises:
        InvalidSetting, BackendUnavailable: it cannot be opened.
        CatalogBusy: servers used a table for *busy_seconds* without a pause; nothing was changed.
        FormatUnknown: it has tables of another program, or for newer versions only.
    """
    engine = connect(url, busy_seconds)
    try:
        with translated(engine):
            with engine.connect() as connection:
                before = current_revision(connection)
                is_readable = before is not None and before > HEAD and _is_readable(connection)
            if not is_readable and before != HEAD:
                _upgrade(engine, busy_seconds)
            return Upgraded(before, before if is_readable and before is not None else HEAD)
    finally:
        engine.dispose()


def check_schema(tables: SharedTables) -> None:
    """
    Check that this version may still use the tables, which another may have changed since the start.

    Raises:
        BackendUnavailable: it may not, or that cannot be told.
    """
    for (oldest,) in tables.all(select(compat.c.oldest_reader), {}):
        if oldest > HEAD:
            raise BackendUnavailable("catalog", f"its schema is for newer versions only; {_UPGRADE_SERVER}")


def _upgrade(engine: Engine, busy_seconds: float) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(excluding(engine.dialect.name, busy_seconds))
        upgrade(connection)  # looks again: another server may have done it meanwhile


def _is_readable(connection: Connection) -> bool:
    """Whether this version may use newer tables. Never in a file: no other server needs that it goes on."""
    if connection.dialect.name == "sqlite" or not inspect(connection).has_table(compat.name):
        return False
    return all(oldest <= HEAD for (oldest,) in connection.execute(select(compat.c.oldest_reader)))
