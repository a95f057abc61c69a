"""
What differs between databases: connecting, and what their errors mean. `exclusion` has how writers exclude each other.

Nothing belongs to a session of PostgreSQL, neither settings nor prepared statements nor locks: a pooler such as
pgbouncer may give each transaction another one. A connection is in no transaction but for that of a writer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field
from sqlalchemy import (
    URL,
    ColumnElement,
    Engine,
    Integer,
    TextClause,
    bindparam,
    create_engine,
    make_url,
    text,
    tuple_,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from ...domain.errors.capacity import BackendUnavailable, CatalogBusy, CatalogDamaged, InsufficientStorage, ReadOnly
from ...domain.errors.settings import InvalidSetting
from ...domain.tarkeep_error import TarkeepError

if TYPE_CHECKING:
    import sqlite3
else:
    try:
        from pysqlite3 import dbapi2 as sqlite3  # brings an SQLite that is new enough for `safe_journal_mode`
    except ImportError:  # a platform it has no wheel for
        import sqlite3

__all__ = [
    "Writer",
    "connect",
    "has",
    "is_one_of",
    "is_one_of_identities",
    "meaning",
    "read",
    "safe_journal_mode",
    "sqlite3",
    "translated",
    "use_log",
]

_Result = TypeVar("_Result")

_PATIENCE = {
    "connect_timeout": 5,
    # a host that vanished without a word is noticed within half a minute, also while an answer is waited for
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds, of what was sent and not acknowledged
}
_POOL = 8  # one writes; reading is short and holds the GIL most of the time: more connections only cost memory


class _EachOf(FunctionElement[Any]):
    inherit_cache = True


class _EachNumberOf(FunctionElement[Any]):
    inherit_cache = True


class _EachIdentityOf(FunctionElement[Any]):
    inherit_cache = True


@compiles(_EachIdentityOf, "sqlite")
def _each_identity_sqlite(element: _EachIdentityOf, compiler: SQLCompiler, **options: Any) -> str:
    parts = ", ".join(f"json_extract(value, '$[{place}]')" for place in range(3))
    return f"(SELECT {parts} FROM json_each({compiler.process(element.clauses, **options)}))"


@compiles(_EachIdentityOf, "postgresql")
def _each_identity_postgresql(element: _EachIdentityOf, compiler: SQLCompiler, **options: Any) -> str:
    parts = ", ".join(f"value->>{place}" for place in range(3))
    return f"(SELECT {parts} FROM json_array_elements(CAST({compiler.process(element.clauses, **options)} AS json)))"


@compiles(_EachOf, "sqlite")
@compiles(_EachNumberOf, "sqlite")
def _each_sqlite(element: FunctionElement[Any], compiler: SQLCompiler, **options: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **options)}))"


@compiles(_EachOf, "postgresql")
def _each_postgresql(element: _EachOf, compiler: SQLCompiler, **options: Any) -> str:
    return f"(SELECT json_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS json)))"


@compiles(_EachNumberOf, "postgresql")
def _each_number_postgresql(element: _EachNumberOf, compiler: SQLCompiler, **options: Any) -> str:
    return f"(SELECT json_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS json))::bigint)"


class _PlaceOf(FunctionElement[Any]):
    inherit_cache = True
    type = Integer()


@compiles(_PlaceOf, "sqlite")
def _place_sqlite(element: _PlaceOf, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)})"


@compiles(_PlaceOf, "postgresql")
def _place_postgresql(element: _PlaceOf, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)})"


def has(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """A condition: the text in *column* has that which is bound as *name* in it, upper and lower case being two."""
    return _PlaceOf(column, bindparam(name)) > 0


def is_one_of(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """
    A condition: *column* holds one of the texts, or numbers, in the JSON array that is bound as *name*.

    So any number of them is one value of a statement that is compiled once; SQLAlchemy renders its own lists again at
    every call, which takes longer than the query.
    """
    each = _EachNumberOf if isinstance(column.type, Integer) else _EachOf
    return column.op("IN", is_comparison=True)(each(bindparam(name)))


def is_one_of_identities(columns: Sequence[ColumnElement[Any]], name: str) -> ColumnElement[bool]:
    """Likewise, that the three *columns* together hold one of the arrays of three texts in the JSON array."""
    return tuple_(*columns).op("IN", is_comparison=True)(_EachIdentityOf(bindparam(name)))


@cache
def first_of_each(dialect: str, listed: str, *, by_type: bool) -> TextClause:
    """
    The first ``limit`` archives of each of ``profiles``, a JSON array, after a position: profile, time and number.

    An index finds them for each profile. SQLite has no LATERAL; CROSS JOIN makes it take the profiles first.
    """
    chosen = f"profile = p.value {'AND type = :type' if by_type else ''} AND {listed}"
    those = f"FROM archives WHERE {chosen} AND (received_us, seq) > (:received_us, :seq)"
    first = f"{those} ORDER BY received_us, seq LIMIT :limit"
    if dialect == "sqlite":
        return text(
            "SELECT p.value, a.received_us, a.seq FROM json_each(:profiles) p CROSS JOIN archives a "
            f"WHERE a.seq IN (SELECT seq {first})"
        )
    return text(
        "SELECT p.value, a.received_us, a.seq FROM json_array_elements_text(CAST(:profiles AS json)) p(value) "
        f"CROSS JOIN LATERAL (SELECT received_us, seq {first}) a"
    )


def connect(url: str, busy_seconds: float) -> Engine:
    """
    An engine for *url*, ``sqlite:///PATH`` or ``postgresql://...``; a missing file is created.

    Raises:
        InvalidSetting: *url* has another scheme, or its driver is missing.
        BackendUnavailable: the folder of the file is missing.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InvalidSetting("catalog", "is not a database URL") from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return _sqlite(parsed, busy_seconds)
    if parsed.drivername == "postgresql":
        return _postgresql(parsed.set(drivername="postgresql+psycopg"), busy_seconds)
    raise InvalidSetting("catalog", "must start with sqlite:/// or postgresql://")


def safe_journal_mode(version: tuple[int, int, int]) -> str:
    """
    The journal mode in which SQLite *version* loses and corrupts nothing.

    WAL is faster and lets readers and a writer work at the same time, but can corrupt the database if one connection
    writes while another resets the log, up to the fixes in 3.44.6, 3.50.7 and 3.51.3.
    """
    fixed = (3, 44, 6) <= version < (3, 45, 0) or (3, 50, 7) <= version < (3, 51, 0) or version >= (3, 51, 3)
    return "wal" if fixed else "truncate"


def use_log(engine: Engine) -> None:
    """
    Make an SQLite database use a write-ahead log, if that is safe: one sync per commit instead of three.

    No other connection may be open. On a file system without the shared memory that a log needs, the mode stays as it
    is.
    """
    if engine.dialect.name == "sqlite" and safe_journal_mode(sqlite3.sqlite_version_info) == "wal":
        with translated(engine), engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = wal")
        engine.dispose()  # connections made before still use the former mode


@define(eq=False)
class Writer:
    """The connection for writing, taken from the pool of *engine* once and kept; for one thread at a time."""

    _engine: Engine
    _pooled: PoolProxiedConnection | None = field(default=None, init=False)

    @contextmanager
    def transaction(self, begin: str) -> Iterator[DBAPIConnection]:
        """A driver connection in a transaction that the statement *begin* began; an error rolls it back."""
        try:
            connection = self._begun(begin)
            yield connection
            connection.commit()
        except BaseException as error:
            if self._pooled is not None and isinstance(error, self._engine.dialect.loaded_dbapi.Error):
                self._pooled.invalidate()  # its state is unknown
            self.close()
            raise

    def _begun(self, begin: str) -> DBAPIConnection:
        """The connection in a new transaction; another one if the database has ended it since the last."""
        if self._pooled is not None:
            try:
                return self._begin_on(self._pooled, begin)
            except self._engine.dialect.loaded_dbapi.Error as error:
                if not _was_lost(self._engine, self._pooled, error):
                    raise
                self._pooled.invalidate()
                self.close()
                self._engine.dispose()  # the others were ended, too
        self._pooled = self._engine.raw_connection()
        return self._begin_on(self._pooled, begin)

    @staticmethod
    def _begin_on(pooled: PoolProxiedConnection, begin: str) -> DBAPIConnection:
        connection: DBAPIConnection = pooled.driver_connection  # type: ignore[assignment]  # it is open
        connection.cursor().execute(begin)
        return connection

    def close(self) -> None:
        """Return the connection to the pool, which rolls back what was not committed."""
        pooled, self._pooled = self._pooled, None
        if pooled is not None:
            pooled.close()


def read(engine: Engine, work: Callable[[DBAPIConnection], _Result]) -> _Result:
    """
    The result of *work*, one statement that changes nothing, on a driver connection.

    It is done again, once, if the database has ended the connection: a connection of the pool may have been ended long
    before.
    """
    with closing(engine.raw_connection()) as pooled:
        try:
            return work(pooled.driver_connection)  # type: ignore[arg-type]  # it is open
        except engine.dialect.loaded_dbapi.Error as error:
            if not _was_lost(engine, pooled, error):
                raise
            pooled.invalidate()
    engine.dispose()  # the others were ended, too
    with closing(engine.raw_connection()) as pooled:
        return work(pooled.driver_connection)  # type: ignore[arg-type]  # as above


def _was_lost(engine: Engine, pooled: PoolProxiedConnection, error: BaseException) -> bool:
    """Whether *error* means that the database has ended the connection *pooled*."""
    return engine.dialect.is_disconnect(error, pooled.driver_connection, None)  # type: ignore[arg-type]  # its own error


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Translate errors of the database to errors of the domain."""
    try:
        yield
    except NoConnectionFree as error:
        raise CatalogBusy from error
    except DBAPIError as error:
        raise meaning(error.orig) from error
    except engine.dialect.loaded_dbapi.Error as error:  # raised by the driver itself, outside SQLAlchemy
        raise meaning(error) from error
    except UnicodeDecodeError as error:  # in stored text, or in a message of SQLite
        raise CatalogDamaged() from error


def meaning(error: BaseException | None) -> TarkeepError:
    """The domain error for an *error* of a database driver; without its text, which may hold SQL and paths."""
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or ""
    for prefix, translation in _MEANINGS.items():
        if code.startswith(prefix):
            return translation()
    return BackendUnavailable("catalog")


_MEANINGS: dict[str, Callable[[], TarkeepError]] = {
    "SQLITE_BUSY": CatalogBusy,
    "SQLITE_LOCKED": CatalogBusy,
    "SQLITE_FULL": InsufficientStorage,
    "SQLITE_READONLY": ReadOnly,
    "SQLITE_CORRUPT": CatalogDamaged,
    "SQLITE_CONSTRAINT": CatalogDamaged,  # rows that exclude each other
    "SQLITE_NOTADB": partial(CatalogDamaged, reason="its file is not a database"),
    # one of our statements does not fit the tables
    "SQLITE_ERROR": partial(CatalogDamaged, reason="its tables were changed or damaged"),
    "SQLITE_CANTOPEN": partial(BackendUnavailable, "catalog", "its file cannot be opened"),
    "SQLITE_IOERR": partial(BackendUnavailable, "catalog", "its file cannot be read or written"),
    # https://www.postgresql.org/docs/current/errcodes-appendix.html
    "55P03": CatalogBusy,  # lock_not_available
    "57014": CatalogBusy,  # query_canceled, by a timeout
    "40": CatalogBusy,  # deadlock, serialization failure
    "53100": InsufficientStorage,  # disk_full
    "25006": ReadOnly,  # read_only_sql_transaction
}


def _sqlite(url: URL, busy_seconds: float) -> Engine:
    if not url.database or url.database == ":memory:" or url.query:
        raise InvalidSetting("catalog", "must name a file, as in sqlite:////var/lib/tarkeep/catalog.sqlite")
    file = Path(url.database)
    if not file.parent.is_dir():
        raise BackendUnavailable("catalog", "its folder does not exist")
    return create_engine(
        url,
        module=sqlite3,
        creator=partial(_sqlite_connection, file, busy_seconds),
        pool_size=_POOL,
        max_overflow=0,
        pool_timeout=busy_seconds,
        hide_parameters=True,
    )


def _sqlite_connection(file: Path, busy_seconds: float) -> sqlite3.Connection:
    # isolation_level None: the driver begins no transaction itself; a lone SELECT ends with its last row, and a writer
    # executes BEGIN IMMEDIATE. Any thread may use the connection, one at a time, as the pool ensures.
    connection = sqlite3.connect(file, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    try:
        _make_durable(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_durable(connection: sqlite3.Connection) -> None:
    # The log mode is stored in the file, so only `use_log` sets it, in a database that is known to be a catalog.
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode != "wal" or safe_journal_mode(sqlite3.sqlite_version_info) != "wal":
        (mode,) = connection.execute("PRAGMA journal_mode = truncate").fetchone()
    if mode not in ("wal", "truncate"):
        raise sqlite3.OperationalError(f"journal mode is {mode}")
    connection.execute("PRAGMA synchronous = FULL")  # NORMAL loses acknowledged entries in a power cut
    connection.execute("PRAGMA trusted_schema = OFF")


def _postgresql(url: URL, busy_seconds: float) -> Engine:
    try:
        return create_engine(
            url,
            # prepare_threshold None: no prepared statements
            connect_args={"autocommit": True, "prepare_threshold": None, **_PATIENCE},
            pool_size=_POOL,
            max_overflow=0,
            pool_timeout=busy_seconds,
            hide_parameters=True,
        )
    except ImportError:
        raise InvalidSetting("catalog", "PostgreSQL needs: pip install 'tarkeep[postgres]'") from None
