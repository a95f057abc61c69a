"""
The catalog in an SQL database: SQLite in a file, or PostgreSQL.

Every writing method is one transaction that excludes other writers of the same profile from its start, see
`exclusion`, and keeps `totals` in step with the entries it changes. Short ones that wait at the same time share one,
see `shared_transactions`. Every reading method is one SELECT, fetched completely before it returns: an unfinished one
would keep a writer from committing in SQLite's rollback-journal mode. Statements are built once; differences between
databases are in `engine` and `exclusion`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from attrs import evolve
from sqlalchemy import Engine, Executable
from sqlalchemy.dialects import postgresql, sqlite

from ...domain.archives.archive import ArchiveState, BackupArchive
from ...domain.archives.inventory import InventoryEntry
from ...domain.archives.totals import Sums, Totals
from ...domain.errors.archives import ArchiveNotFound
from ...domain.errors.capacity import BackendUnavailable
from ...domain.identity.archive_id import ArchiveId, BackupType
from ...domain.identity.invalid import InvalidName
from ...domain.identity.naming import check_archive_name
from ...domain.ports.catalog import ArchivePage, InventoryPage, ListedPage
from ...domain.ports.upkeep.leases import Fence
from ...domain.retention.arrival import Arrival
from ...domain.scrubbing.findings import Fault
from .agreed.upgrading import prepare
from .counts import add_to_totals
from .engine import Writer, connect, read, translated, use_log
from .entry import entry_of
from .inventories import SqlInventories
from .links.changes import LinkChanges, change_of, change_of_row
from .links.kept import SqlLinks
from .pages import SqlPages
from .queries import (
    COUNTED,
    ENTERED,
    FIND,
    FORGET_EVERYTHING,
    HELD,
    LAST_SEQ,
    MARK,
    NAMED,
    NAMED_IN,
    PROFILES_SINCE,
    SUMS,
    SUMS_IN,
    TOLD,
    TOTALS,
    TOTALS_IN,
    WITHOUT_LINK,
    WITHOUT_SNAPSHOT,
    in_order,
    those,
)
from .removals import SqlRemovals
from .rows import TYPES, Values, archive_of, as_written, identity, may_exist, time_of, values_of
from .schema import EVERYBODY, archives
from .shared.again import despite_deadlocks, until_answered
from .shared.claims import SqlClaims, claiming
from .shared.exclusion import excluding, joins, sharing
from .shared.lease_rows import SqlLeaseTable, check_held, while_held
from .shared_transactions import SharedTransactions
from .statements import Statements, Transaction
from .upkeep.arrival_rows import SqlArrivalTable
from .upkeep.drill_rows import SqlDrillTable
from .upkeep.figure_rows import SqlFigures
from .upkeep.job_rows import SqlJobTable
from .upkeep.notice_rows import SqlNoticeTable
from .upkeep.scrub_rows import SqlScrubTable
from .upkeep.session_rows import SqlSessionTable
from .upkeep.status_rows import SqlStatusTable
from .upkeep.usage_rows import SqlUsageTable

_Rows: TypeAlias = Sequence[tuple[Any, ...]]

_Result = TypeVar("_Result")

_AT_ONCE = 10_000  # rows handed to the driver in one call: enough to make its overhead small, and a few MB
_RECEIVED_US = 2  # in the rest of a row of `ENTERED`


class SqlCatalog(SqlClaims, SqlLinks, SqlRemovals):
    """
    A `Catalog` in a database; made by `open`.

    A trashed entry is hidden from `find`, `named`, `page`, `inventory` and `totals`, but keeps its identity taken:
    `claim` answers `AlreadyStored` with it, and `mark` brings it back.

    Safe to call from any number of threads. Writers of this process wait for each other in a queue, at most
    *busy_seconds*, because SQLite itself waits by polling; for other processes, the database waits as long again.
    """

    def __init__(self, engine: Engine, busy_seconds: float) -> None:
        self._engine = engine
        self._busy_seconds = busy_seconds
        self._writer = Writer(engine)
        self._writers = SharedTransactions(self._transaction, busy_seconds, joins)
        self._closed = False
        self._fences: Callable[[], Collection[Fence]] = tuple
        self._inventories = SqlInventories(self._all)
        self._pages = SqlPages(self._all, engine.dialect.name)
        self._statements = Statements(engine.dialect)
        self.figures = SqlFigures(self._all)
        self.jobs = SqlJobTable(self._all, self._write)
        self.statuses = SqlStatusTable(self._all, self._write)
        self.notices = SqlNoticeTable(self._all, self._write)
        self.scrubs = SqlScrubTable(self._all, self._write, engine.dialect.name)
        self.drills = SqlDrillTable(self._all, self._write)
        self.sessions = SqlSessionTable(self._all, self._write)
        self.used = SqlUsageTable(self._all, self._write, engine.dialect.name)
        self._links = LinkChanges(engine.dialect.name)
        upsert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
        # inline: the row's number is not needed
        self._enter_if_new = upsert(archives).on_conflict_do_nothing().inline()
        self._claim_if_free = claiming(engine.dialect.name)
        self.leases = SqlLeaseTable(self._all, engine.dialect.name)
        self.arrived = SqlArrivalTable(self._all, engine.dialect.name)

    @classmethod
    def open(cls, url: str, *, busy_seconds: float = 5.0) -> SqlCatalog:
        """
        The catalog at *url*, ``sqlite:///PATH`` or ``postgresql://...``, created if needed; a file is upgraded, too.

        *busy_seconds* is how long a method waits for its turn before `CatalogBusy`.

        Raises:
            InvalidSetting: *url* has another scheme, or its driver is missing.
            BackendUnavailable: it cannot be opened, or the folder of the file is missing.
            FormatUnknown: it is for newer versions only, or it is not a catalog; or it is an older one in PostgreSQL.
        """
        engine = connect(url, busy_seconds)
        try:
            prepare(engine, busy_seconds)
            use_log(engine)
            return cls(engine, busy_seconds)
        except BaseException:
            engine.dispose()
            raise

    def fence(self, fences: Callable[[], Collection[Fence]]) -> None:
        """From now on a thread changes something only as long as all leases run that *fences* tells of it."""
        self._fences = fences

    def adopt(self, archives: Sequence[BackupArchive]) -> int:
        rows = [values_of(archive, claimed=False) for archive in archives]
        with self._writing_alone() as transaction:
            return self._enter(transaction, iter(rows), is_arrival=True)

    def replace(self, archives: Iterable[BackupArchive]) -> int:
        with self._writing_alone() as transaction:
            for forget in FORGET_EVERYTHING:
                transaction.run(forget, {})
            entered = self._enter(transaction, (values_of(one, claimed=False) for one in archives), is_arrival=False)
            self.arrived.are(transaction)
            return entered

    def is_sound(self) -> bool:
        if self._engine.dialect.name == "sqlite":  # PostgreSQL verifies its pages itself
            with translated(self._engine), self._engine.connect() as connection:
                if connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one() != "ok":
                    return False
        return self.adds_up()

    def adds_up(self) -> bool:
        if self._all(WITHOUT_LINK, {}):
            return False
        found: dict[tuple[str, str], tuple[int, int]] = {}
        for profile, type, count, size_bytes in self._all(COUNTED, {}):
            found[profile, type] = count, int(size_bytes)
        told = {(profile, type): sums for profile, type, *sums in self._all(TOLD, {})}
        return found == {at: (count, int(size_bytes)) for at, (count, size_bytes) in told.items()}

    def find(self, id: ArchiveId) -> BackupArchive:
        rows = self._all(FIND, identity(id))
        if not rows:
            raise ArchiveNotFound(str(id))
        return archive_of(rows[0])

    def named(self, type: BackupType, name: str, *, profiles: Collection[str] | None = None) -> list[BackupArchive]:
        try:
            check_archive_name(name)
        except InvalidName:
            return []  # no archive has it, and drivers reject some texts
        values: Values = {"type": type.value, "name": name}
        if profiles is None:
            rows = self._all(NAMED, values)
        else:
            rows = self._all(NAMED_IN, values | those(profiles)) if profiles else []
        return [archive_of(row) for row in rows]

    def page(
        self,
        *,
        profile: str | None = None,
        profiles: Collection[str] | None = None,
        type: BackupType | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> ArchivePage:
        return self._pages.page(profile, profiles, type, cursor, limit)

    def arrivals(self, profile: str, type: BackupType | None = None, *, limit: int) -> list[Arrival]:
        return self._pages.arrivals(profile, type, limit)

    def listed(
        self,
        *,
        profile: str | None = None,
        profiles: Collection[str] | None = None,
        type: BackupType | None = None,
        cursor: str | None = None,
        limit: int = 1000,
    ) -> ListedPage:
        return self._pages.listed(profile, profiles, type, cursor, limit)

    def inventory(self, *, profile: str | None = None, cursor: str | None = None, limit: int = 10_000) -> InventoryPage:
        return self._inventories.page(profile, cursor, limit)

    def names(self, profile: str, type: BackupType, *, after: str = "", limit: int = 10_000) -> list[str]:
        return self._inventories.names(profile, type, after, limit)

    def names_of(self, profiles: Collection[str]) -> dict[tuple[str, BackupType], list[str]]:
        return self._inventories.names_of(profiles)

    def look_up(self, profile: str, type: BackupType, names: Collection[str]) -> list[InventoryEntry]:
        return self._inventories.entries(profile, type, names)

    def totals(self, profile: str | None = None, *, profiles: Collection[str] | None = None) -> list[Totals]:
        if profile is not None:
            is_asked = may_exist(profile) and (profiles is None or profile in profiles)
            profiles = (profile,) if is_asked else ()
        asked = (TOTALS, {}) if profiles is None else (TOTALS_IN, those(profiles))
        rows = self._all(*asked) if profiles is None or profiles else []
        with as_written():  # if entries that were counted are gone, there is no newest one
            return [
                Totals(profile, TYPES[type], count, size_bytes, time_of(newest_us))
                for profile, type, count, size_bytes, newest_us in rows
            ]

    def sums(self, profiles: Collection[str] | None = None) -> dict[BackupType, Sums]:
        if profiles is None:
            ((*found,),) = self._all(SUMS, {})
        else:
            ((*found,),) = self._all(SUMS_IN, {"profiles": in_order(frozenset(profiles))})
        return {
            type: Sums(int(archives or 0), int(size_bytes or 0))
            for type, archives, size_bytes in zip(BackupType, found[::2], found[1::2], strict=True)
        }

    def held(self) -> dict[str, Sums]:
        return {profile: Sums(int(archives), int(size)) for profile, archives, size in self._all(HELD, {})}

    def profiles_since(self, mark: int) -> tuple[list[str], int]:
        rows = self._all(PROFILES_SINCE, {"mark": mark})
        return list(dict.fromkeys(profile for _, profile in rows)), rows[-1][0] if rows else mark

    def mark(self, id: ArchiveId, state: ArchiveState, fault: Fault | None = None) -> None:
        def enter(transaction: Transaction) -> None:
            was = self._set_state(transaction, id, state)
            if fault is not None:
                self.scrubs.note_fault(transaction, was, fault)

        self._write(enter, id.profile)

    def _set_state(self, transaction: Transaction, id: ArchiveId, state: ArchiveState) -> BackupArchive:
        seq, was = entry_of(transaction, id)
        if was is None:
            raise ArchiveNotFound(str(id))
        if was.state is state:
            return was
        transaction.run(MARK, {"sought_seq": seq, "state": state.value})
        self._links.changed(transaction, change_of(seq, evolve(was, state=state)))
        change = (state is not ArchiveState.TRASHED) - (was.state is not ArchiveState.TRASHED)
        if change:
            add_to_totals(transaction, id.profile, id.type.value, change, change * was.size_bytes)
        return was

    def note_snapshot(self, id: ArchiveId, sha256: str | None) -> None:
        def enter(transaction: Transaction) -> None:
            seq, was = entry_of(transaction, id)
            if was is None or was.state is ArchiveState.TRASHED:
                raise ArchiveNotFound(str(id))
            row: Values = {"sought_seq": seq, "has_snapshot": sha256 is not None}
            if sha256 is not None:
                row["snapshot_after"] = sha256
            transaction.run(MARK, row)
            if sha256 not in (None, was.lineage.snapshot_after):
                noted = evolve(was, lineage=evolve(was.lineage, snapshot_after=sha256))
                self._links.changed(transaction, change_of(seq, noted, was))

        self._write(enter, id.profile)

    def names_without_snapshot(self, profile: str, type: BackupType) -> set[str]:
        if not may_exist(profile):
            return set()
        return {name for (name,) in self._all(WITHOUT_SNAPSHOT, {"profile": profile, "type": type.value})}

    def close(self) -> None:
        self._closed = True
        self._writer.close()
        self._engine.dispose()

    def _write(self, work: Callable[[Transaction], _Result], of: str = EVERYBODY) -> _Result:
        """The result of *work*, which changes something of the profile *of*, or of none, durably committed."""
        self._check_open()
        with translated(self._engine):
            fenced = while_held(work, self._fences())
            return despite_deadlocks(lambda: self._writers.together(fenced, of))

    def _write_surely(self, work: Callable[[Transaction], _Result], of: str) -> _Result:
        """Likewise for *work* that knows its own effect by a token: done again if the database may have ended it."""
        if self._engine.dialect.name == "sqlite":  # nothing can be lost between it and its file
            return self._write(work, of)
        return until_answered(lambda: self._write(work, of))

    @contextmanager
    def _writing_alone(self) -> Iterator[Transaction]:
        self._check_open()
        with translated(self._engine), self._writers.alone() as transaction:
            check_held(transaction, self._fences())
            yield transaction

    @contextmanager
    def _transaction(self, of: str | None) -> Iterator[Transaction]:
        dialect, patience = self._engine.dialect.name, self._busy_seconds
        begin = excluding(dialect, patience) if of is None else sharing(dialect, patience, of)
        with self._writer.transaction(begin) as connection:
            yield Transaction(connection, self._statements, set() if of is None else {of})

    def _all(self, statement: Executable, values: Values) -> _Rows:
        self._check_open()
        with translated(self._engine):
            return read(self._engine, lambda connection: self._statements.run(connection, statement, values).fetchall())

    def _check_open(self) -> None:
        if self._closed:
            raise BackendUnavailable("catalog", "it is closed")

    def _enter(self, transaction: Transaction, rows: Iterator[Values], *, is_arrival: bool) -> int:
        new = 0
        # New rows are those numbered above all earlier ones: this is the only writer of the catalog.
        ((last,),) = transaction.rows(LAST_SEQ, {})
        while some := list(islice(rows, _AT_ONCE)):
            transaction.run_each(self._enter_if_new, some)
            sums: dict[tuple[str, str], tuple[int, int]] = {}
            changes, came = [], []
            for seq, profile, type, size_bytes, state, *row in transaction.rows(ENTERED, {"last": last}):
                new += 1
                last = max(last, seq)
                came.append((profile, type, size_bytes, row[_RECEIVED_US]))
                changes.append(change_of_row(seq, profile, type, state, *row))
                if state != ArchiveState.TRASHED.value:
                    archives, total = sums.get((profile, type), (0, 0))
                    sums[profile, type] = archives + 1, total + size_bytes
            self._links.came(transaction, changes)
            self.arrived.came(transaction, came if is_arrival else ())
            for (profile, type), (archives, total) in sorted(sums.items()):
                add_to_totals(transaction, profile, type, archives, total)
        return new
