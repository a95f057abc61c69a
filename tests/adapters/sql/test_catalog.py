"""Particulars of the SQL catalog: its file, durability, indexes, revisions, and the errors of a database."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from attrs import evolve
from sqlalchemy import create_engine

from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.engine import connect, meaning, safe_journal_mode, sqlite3
from tarkeep.adapters.sql.schema import HEAD, MIGRATIONS, migrate
from tarkeep.domain.archives.archive import ArchiveState, BackupArchive, Lineage
from tarkeep.domain.chains.kept_links import NewLink
from tarkeep.domain.chains.link import Evidence, Link
from tarkeep.domain.chains.neighbours import EARLIEST, Asked
from tarkeep.domain.errors.archives import ArchiveNotFound, ClaimLost
from tarkeep.domain.errors.capacity import (
    BackendUnavailable,
    CatalogBusy,
    CatalogDamaged,
    InsufficientStorage,
    ReadOnly,
)
from tarkeep.domain.errors.settings import FormatUnknown, InvalidSetting
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.ports.catalog import Claimed, ClaimedElsewhere
from tarkeep.domain.tarkeep_error import TarkeepError
from tests.support.archives import NOON, make_archive
from tests.support.catalogs import all_archives, all_entries, recounted
from tests.support.claims import LEASE, OVER, claimed, confirm
from tests.support.watched_catalog import watched

TABLES_CHANGED = "its tables were changed or damaged"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalog.sqlite"


def opened(file: Path, busy_seconds: float = 60) -> closing[SqlCatalog]:
    return closing(SqlCatalog.open(f"sqlite:///{file}", busy_seconds=busy_seconds))


@contextmanager
def raw(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection without any of our code."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as connection:
        yield connection


# -- opening ---------------------------------------------------------------------------------------------------------


def test_everything_survives_a_reopen(file: Path) -> None:
    """Entries, hidden entries, claims and totals are there again."""
    entry, damaged, hidden, claim = (make_archive(f"number-{n}.tar.gz") for n in range(4))
    with opened(file) as catalog:
        catalog.adopt([entry, damaged, hidden])
        catalog.mark(damaged.id, ArchiveState.DAMAGED)
        catalog.mark(hidden.id, ArchiveState.TRASHED)
        catalog.claim(claim, LEASE)
        before = all_archives(catalog)

    with opened(file) as catalog:
        assert all_archives(catalog) == before
        assert catalog.open_claims() == [claim]
        assert catalog.totals() == recounted(before)
        assert catalog.adopt([hidden]) == 0


def test_a_cursor_survives_a_reopen(file: Path) -> None:
    """A client may continue after the server was restarted."""
    with opened(file) as catalog:
        catalog.adopt([make_archive(f"number-{n}.tar.gz") for n in range(5)])
        first = catalog.page(limit=2)
        rest = catalog.page(cursor=first.next_cursor)

    with opened(file) as catalog:
        assert catalog.page(cursor=first.next_cursor) == rest


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    """A wrong path is an error that does not show the path, and leaves nothing behind."""
    with pytest.raises(BackendUnavailable) as caught:
        SqlCatalog.open(f"sqlite:///{tmp_path}/missing/catalog.sqlite")

    assert str(caught.value) == "the catalog is not available: its folder does not exist"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_not_a_catalog(tmp_path: Path) -> None:
    """A path that names a folder gives a plain error."""
    with pytest.raises(BackendUnavailable) as caught:
        SqlCatalog.open(f"sqlite:///{tmp_path}")

    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "catalog.sqlite", "mysql://host/x", "sqlite+other:///x", "sqlite://", "sqlite:///:memory:", "sqlite:///x?y=z"],
)
def test_other_urls_are_refused(url: str) -> None:
    """A URL that is neither a file nor PostgreSQL is reported as a wrong setting."""
    with pytest.raises(InvalidSetting) as caught:
        SqlCatalog.open(url)

    assert caught.value.name == "catalog"


@pytest.mark.parametrize("special", ["100%", "%(here)s", "ein Ordner", "a#b"])
def test_signs_in_the_path_do_no_harm(tmp_path: Path, special: str) -> None:
    """The catalog is made where the URL says, whatever the folder is called."""
    (tmp_path / special).mkdir()

    with opened(tmp_path / special / "catalog.sqlite") as catalog:
        catalog.claim(make_archive(), LEASE)

    assert (tmp_path / special / "catalog.sqlite").stat().st_size > 0


def test_a_newer_revision_is_refused(file: Path) -> None:
    """A catalog written by a later version is left untouched."""
    with opened(file) as catalog:
        catalog.adopt([make_archive()])
    with raw(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = file.read_bytes()

    with pytest.raises(FormatUnknown, match="9999"):
        SqlCatalog.open(f"sqlite:///{file}")

    assert file.read_bytes() == before


def test_the_tables_of_something_else_are_refused(file: Path) -> None:
    """A database of another program is left untouched."""
    with raw(file) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    before = file.read_bytes()

    with pytest.raises(FormatUnknown):
        SqlCatalog.open(f"sqlite:///{file}")

    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough to look at" * 100, b"SQLite format 3\0" * 50]
)
def test_a_file_that_is_no_database(file: Path, content: bytes) -> None:
    """Foreign bytes give a plain error, and stay."""
    file.write_bytes(content)

    with pytest.raises(BackendUnavailable) as caught:
        SqlCatalog.open(f"sqlite:///{file}")

    assert caught.value.what == "catalog"
    assert str(file) not in str(caught.value)
    assert file.read_bytes() == content


def test_damaged_pages(file: Path) -> None:
    """Damage after the first page of a file is found when it is read, and no SQL is in the error."""
    archives = [make_archive(f"number-{n}.tar.gz") for n in range(200)]
    with opened(file):
        kept = file.stat().st_size  # the schema, which opening reads
    with opened(file) as catalog:
        catalog.adopt(archives)
    whole = file.read_bytes()
    file.write_bytes(whole[:kept] + b"\x99" * (len(whole) - kept))

    with opened(file) as catalog, pytest.raises(CatalogDamaged) as caught:
        all_archives(catalog)

    assert "SELECT" not in str(caught.value)


@pytest.mark.parametrize("new", [True, False])
def test_a_catalog_opens_without_alembic_unless_it_is_old(file: Path, new: bool) -> None:
    """Importing the migration tool would cost more than all of opening."""
    if not new:
        with opened(file):
            pass
    program = (
        "import sys; from tarkeep.adapters.sql.catalog import SqlCatalog; "
        "SqlCatalog.open(sys.argv[1]).close(); print('alembic' in sys.modules)"
    )

    run = subprocess.run(
        [sys.executable, "-c", program, f"sqlite:///{file}"], capture_output=True, text=True, check=True, timeout=60
    )

    assert run.stdout.strip() == "False"


def test_a_closed_catalog_says_so(file: Path) -> None:
    """After `close` no connection is opened."""
    catalog = SqlCatalog.open(f"sqlite:///{file}")
    catalog.close()

    with pytest.raises(BackendUnavailable):
        catalog.page()
    with pytest.raises(BackendUnavailable):
        catalog.claim(make_archive(), LEASE)


# -- the schema ------------------------------------------------------------------------------------------------------


def test_head_is_the_newest_migration() -> None:
    """The constant that spares importing Alembic is what Alembic would say."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_migrations_make_the_tables_that_a_new_catalog_has(tmp_path: Path) -> None:
    """All migrations together give the same tables, indexes and revision as a catalog made today."""
    with opened(tmp_path / "new"):
        pass
    engine = create_engine(f"sqlite:///{tmp_path}/migrated")
    with engine.begin() as connection:
        migrate(connection, None)
    engine.dispose()

    def schema(file: Path) -> dict[str, object]:
        # Columns in any order, because one that was added stands behind the others.
        with raw(file) as connection:
            of_type = "SELECT name, sql FROM sqlite_master WHERE type = ? ORDER BY name"
            tables = [name for name, _ in connection.execute(of_type, ("table",))]
            indexes = [
                (
                    name,
                    sql and re.sub(r"\s+", " ", sql),
                    connection.execute(f"PRAGMA index_info({name})").fetchall()[1:],
                )
                for name, sql in connection.execute(of_type, ("index",)).fetchall()
            ]
            revisions = connection.execute("SELECT version_num FROM alembic_version").fetchall()
            columns = {name: {row[1:] for row in connection.execute(f"PRAGMA table_info({name})")} for name in tables}
        return columns | {"indexes": indexes, "revision": revisions}

    assert schema(tmp_path / "migrated") == schema(tmp_path / "new")


def test_a_catalog_of_the_first_version_keeps_what_it_has(tmp_path: Path) -> None:
    """Its archives are there after the change, and values that were not recorded then are empty."""
    engine = create_engine(f"sqlite:///{tmp_path}/old")
    with engine.begin() as connection:
        migrate(connection, None, "0001")
    engine.dispose()
    with raw(tmp_path / "old") as old:
        old.execute(
            f"INSERT INTO archives VALUES ({','.join('?' * 15)})",
            (1, "document", "FULL", "a.tar.gz", 5, "0" * 32, "0" * 64, 7, 8, "plain", 2, 10_240, 6, "stored", 0),
        )
        old.execute("INSERT INTO totals VALUES ('document', 'FULL', 1, 5)")
        old.commit()

    with opened(tmp_path / "old") as catalog:
        found = catalog.find(ArchiveId("document", BackupType.FULL, "a.tar.gz"))

    assert found.contents is not None
    assert (found.contents.members, found.contents.has_unchanged, found.contents.roots) == (2, False, ())
    assert found.lineage == Lineage()


@contextmanager
def noted(file: Path) -> Iterator[tuple[SqlCatalog, dict[str, Sequence[Any]]]]:
    """A catalog and the statements that it runs, with the last values of each."""
    statements: dict[str, Sequence[Any]] = {}
    with watched(file, statements.__setitem__) as (catalog, _commits):
        statements.clear()
        yield catalog, statements


def plan(connection: sqlite3.Connection, statement: str, parameters: Sequence[Any]) -> str:
    return "\n".join(step[3] for step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))


def ask_about_links(catalog: SqlCatalog, archive: BackupArchive, other: BackupArchive) -> None:
    """Every question about links, and what follows from a change of one that another one builds on."""
    profile = archive.id.profile
    state = catalog.link_state(profile)
    asked = Asked(frozenset({"snapshot " + "0" * 64}), dict.fromkeys(BackupType, EARLIEST))
    links = [
        NewLink(archive.id, Link(archive.id, None, Evidence.PROVEN, "it is the first"), asked),
        NewLink(other.id, Link(other.id, archive.id, Evidence.PROVEN, "it is the second"), asked),
    ]
    catalog.keep_links(profile, state.version - 1, "by the rules", links)
    catalog.pending(profile, 10)
    catalog.unsettled(profile, 10)
    catalog.keep_standings(profile, state.version, {})
    catalog.placed([archive.id])
    catalog.places(profile)
    catalog.path(other.id)
    catalog.entries(profile)
    for is_restorable in (False, True):
        catalog.newest_place(profile, until=NOON, is_restorable=is_restorable, has_snapshot=is_restorable)
    neighbours = catalog.neighbours(profile)
    neighbours.named(other.id)
    neighbours.leaving("0" * 64)
    neighbours.newest_before(other, [BackupType.FULL, BackupType.INC])
    neighbours.before(other, 10)
    catalog.note_snapshot(archive.id, "1" * 64)
    catalog.forget_links(profile, "by other rules")


def test_every_query_goes_straight_to_its_rows(file: Path) -> None:
    """No method reads the archives from end to end, and none sorts: cost must not grow with what is stored."""
    archive, other = make_archive(), make_archive("other.tar.gz")
    with noted(file) as (catalog, statements):
        catalog.claim(archive, LEASE)
        confirm(catalog, archive)
        token = claimed(catalog, make_archive("third.tar.gz"), OVER)
        catalog.renew(make_archive("third.tar.gz").id, token, OVER)
        (taken,) = catalog.take_over(20, LEASE)
        catalog.release(taken.archive.id, taken.token)
        catalog.adopt([other])
        catalog.open_claims()
        catalog.find(archive.id)
        catalog.named(archive.id.type, archive.id.name)
        catalog.mark(archive.id, ArchiveState.TRASHED)
        catalog.mark(archive.id, ArchiveState.STORED)
        catalog.names("document", archive.id.type)
        catalog.look_up("document", archive.id.type, ["a.tar.gz"])
        catalog.profiles_since(1)
        for profiles in (None, ["document", "other"], [f"p{number}" for number in range(9)]):
            catalog.named(archive.id.type, archive.id.name, profiles=profiles)
            catalog.totals(profiles=profiles)
            catalog.sums(profiles)
            for type in (None, BackupType.FULL):
                catalog.page(profiles=profiles, type=type)
                catalog.listed(profiles=profiles, type=type)
        for profile in (None, "document"):
            catalog.totals(profile)
            all_entries(catalog, profile=profile, limit=1)
            for type in (None, BackupType.FULL):
                all_archives(catalog, profile=profile, type=type, limit=1)
        ask_about_links(catalog, archive, other)

    with raw(file) as connection:
        plans = {statement: plan(connection, statement, parameters) for statement, parameters in statements.items()}
    assert len(plans) >= 35
    for statement, steps in plans.items():
        if statement.startswith("SELECT coalesce(max("):
            continue  # SQLite calls it a scan, but stops at the first row
        # Read whole where all are asked for: the totals, a row per profile and type, and the index of claims only.
        # What is bound as JSON is a table, too, called p where it leads; so is what the statement itself has found, a
        # row for each type, or step by step what builds on what.
        allowed = r"totals|archives USING INDEX archives_claimed|(json_each|p) VIRTUAL TABLE|lasts|last_\w+|behind|way"
        sorting = "" if "AS lasts" in statement else "|TEMP B-TREE"
        assert not re.search(rf"SCAN (?!{allowed}){sorting}", steps), f"{statement}\n{steps}"


@pytest.mark.parametrize(
    ("profile", "type", "lookup"),
    [
        (None, None, "archives_in_time (received_us>?)"),
        ("document", None, "archives_of_profile_in_time (profile=? AND received_us>?)"),
        (None, BackupType.INC, "archives_of_type_in_time (type=? AND received_us>?)"),
        ("document", BackupType.INC, "archives_of_both_in_time (profile=? AND type=? AND received_us>?)"),
    ],
)
def test_a_page_finds_its_place_by_all_its_filters(
    file: Path, profile: str | None, type: BackupType | None, lookup: str
) -> None:
    """Filters and the place in time are looked up together in one index, none is applied row by row afterwards."""
    with noted(file) as (catalog, statements):
        catalog.page(profile=profile, type=type)

    with raw(file) as connection:
        [steps] = [plan(connection, statement, parameters) for statement, parameters in statements.items()]
    assert steps == f"SEARCH archives USING INDEX {lookup}"


def test_what_is_to_be_worked_out_is_found_without_going_through_its_profile(file: Path) -> None:
    """Each of these queries is a look-up in an index of its own; they run at every receive."""
    with noted(file) as (catalog, statements):
        catalog.pending("document", 10)
        catalog.unsettled("document", 10)
        catalog.link_state("document")

    with raw(file) as connection:
        found = [plan(connection, statement, parameters) for statement, parameters in statements.items()]
    pending, unsettled = "links_pending (is_pending=? AND profile=?)", "links_unsettled (standing=? AND profile=?)"
    assert [
        re.findall(r"links_(?:pending|unsettled|in_order|of_type).*?\)", steps.replace("COVERING ", ""))
        for steps in found
    ] == [
        [pending],
        [unsettled],
        [pending, unsettled],
    ]


# -- durability ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 34, 1), "truncate"),
        ((3, 40, 1), "truncate"),
        ((3, 44, 5), "truncate"),
        ((3, 44, 6), "wal"),
        ((3, 44, 9), "wal"),
        ((3, 45, 0), "truncate"),
        ((3, 49, 9), "truncate"),
        ((3, 50, 6), "truncate"),
        ((3, 50, 7), "wal"),
        ((3, 51, 0), "truncate"),
        ((3, 51, 2), "truncate"),
        ((3, 51, 3), "wal"),
        ((3, 52, 0), "wal"),
        ((4, 0, 0), "wal"),
    ],
)
def test_wal_only_where_it_is_sound(version: tuple[int, int, int], mode: str) -> None:
    """Versions of SQLite that can corrupt a log get the rollback journal."""
    assert safe_journal_mode(version) == mode


def test_every_connection_is_durable(file: Path) -> None:
    """Each connection of the pool has the journal mode of this SQLite, and syncs at every commit."""
    with opened(file):
        pass
    engine = connect(f"sqlite:///{file}", busy_seconds=7)

    with engine.connect() as one, engine.connect() as other:
        for connection in (one, other):
            settings = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "busy_timeout")
            ]
            assert settings == [safe_journal_mode(sqlite3.sqlite_version_info), 2, 7000]  # 2 is FULL
    engine.dispose()


# -- many rows -------------------------------------------------------------------------------------------------------


def test_more_archives_than_are_written_at_once(file: Path) -> None:
    """If the rows go to the database in several portions, each is entered and counted once."""
    first = make_archive()
    archives = [evolve(first, id=evolve(first.id, name=f"number-{n:05}.tar.gz")) for n in range(20_001)]
    with opened(file) as catalog:
        catalog.adopt(archives[5_000:5_010])

        entered = catalog.adopt(archives)

        assert entered == 20_001 - 10
        assert catalog.totals() == recounted(archives)
        assert [entry.name for entry in all_entries(catalog)] == [archive.id.name for archive in archives]
        assert catalog.replace(iter(archives)) == 20_001
        assert catalog.totals() == recounted(archives)


# -- several at once -------------------------------------------------------------------------------------------------


def test_claims_race_across_catalogs(file: Path) -> None:
    """Two catalogs on one file never give one identity to both."""
    with opened(file) as one, opened(file) as other, ThreadPoolExecutor(2) as pool:
        archives = [make_archive(f"race-{n}.tar.gz") for n in range(30)]
        outcomes = list(pool.map(lambda catalog: [catalog.claim(archive, LEASE) for archive in archives], (one, other)))

    for pair in zip(*outcomes, strict=True):
        assert sorted(type(outcome).__name__ for outcome in pair) == ["Claimed", "ClaimedElsewhere"]


def test_a_writer_elsewhere_makes_the_catalog_busy(file: Path) -> None:
    """While another process writes, reading goes on and writing gives up after its patience; then it works again."""
    archive = make_archive()
    with opened(file, busy_seconds=0.05) as catalog, raw(file) as elsewhere:
        elsewhere.execute("BEGIN IMMEDIATE")

        with pytest.raises(CatalogBusy):
            catalog.claim(archive, LEASE)

        assert catalog.page().archives == ()
        elsewhere.execute("ROLLBACK")
        assert isinstance(catalog.claim(archive, LEASE), Claimed)


def test_a_writing_method_excludes_others_before_it_reads(file: Path) -> None:
    """Data that a change depends on is not read while another writes: it might be outdated when it is written."""
    with opened(file, busy_seconds=0.05) as catalog, raw(file) as elsewhere:
        elsewhere.execute("BEGIN IMMEDIATE")

        with pytest.raises(CatalogBusy):
            catalog.mark(make_archive().id, ArchiveState.DAMAGED)
        with pytest.raises(CatalogBusy):
            catalog.adopt([])


def test_a_reader_elsewhere_cannot_tear_a_transaction(file: Path) -> None:
    """If a reader keeps a commit from happening, nothing of it happened, and it can be repeated."""
    archive = make_archive()
    with opened(file, busy_seconds=0.05) as catalog, raw(file) as elsewhere:
        catalog.adopt([make_archive("other.tar.gz")])
        if elsewhere.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            pytest.skip("in WAL mode readers do not hinder a writer")
        elsewhere.execute("BEGIN")
        elsewhere.execute("SELECT * FROM archives").fetchone()

        with pytest.raises(CatalogBusy):
            catalog.claim(archive, LEASE)

        elsewhere.execute("ROLLBACK")
        assert catalog.open_claims() == []
        assert isinstance(catalog.claim(archive, LEASE), Claimed)


def test_a_long_writer_makes_others_wait_and_readers_not(file: Path) -> None:
    """While one thread rebuilds, another cannot write within its patience, reads what was there, and writes after."""
    entry, new = make_archive(), make_archive("new.tar.gz")
    started, go_on = Event(), Event()

    def slowly() -> Iterator[BackupArchive]:
        yield new
        started.set()
        assert go_on.wait(60)

    with opened(file, busy_seconds=0.05) as catalog, ThreadPoolExecutor(1) as pool:
        catalog.adopt([entry])
        rebuilding = pool.submit(catalog.replace, slowly())
        try:
            assert started.wait(60)
            with pytest.raises(CatalogBusy):
                catalog.claim(new, LEASE)
            assert catalog.page().archives == (entry,)
        finally:
            go_on.set()
        assert rebuilding.result(60) == 1
        assert catalog.page().archives == (new,)
        assert isinstance(catalog.claim(entry, LEASE), Claimed)
        assert catalog.claim(entry, LEASE) == ClaimedElsewhere()


def test_an_error_inside_a_transaction_leaves_the_connection_usable(file: Path) -> None:
    """After a refused `confirm` or `mark` nothing is left open that would keep others out."""
    with opened(file, busy_seconds=0.05) as catalog:
        with pytest.raises(ClaimLost):
            confirm(catalog, make_archive())
        with pytest.raises(ArchiveNotFound):
            catalog.mark(make_archive().id, ArchiveState.DAMAGED)

        with raw(file) as elsewhere:
            elsewhere.execute("BEGIN EXCLUSIVE")
            elsewhere.execute("ROLLBACK")


# -- sharing a transaction -------------------------------------------------------------------------------------------


class Held:
    """A writer that holds the turn until `let_go` and then changes nothing: later writers share what follows."""

    def __init__(self, catalog: SqlCatalog, pool: ThreadPoolExecutor) -> None:
        self.catalog, self.pool = catalog, pool
        started, self._go_on = Event(), Event()

        def never() -> Iterator[BackupArchive]:
            started.set()
            assert self._go_on.wait(60)
            raise InterruptedError
            yield

        self._holding = pool.submit(catalog.replace, never())
        assert started.wait(60)

    def queue(self, write: Callable[..., object], *arguments: object) -> Future[object]:
        """Start a write and return when it waits in the queue."""
        before = self.catalog._writers.waiting
        writing = self.pool.submit(write, *arguments)
        deadline = monotonic() + 60
        while self.catalog._writers.waiting == before:
            assert monotonic() < deadline
            Event().wait(0.001)
        return writing

    def let_go(self) -> None:
        """Let the queue run; the holder's own transaction is over when this returns."""
        self._go_on.set()
        with pytest.raises(InterruptedError):
            self._holding.result(60)


def test_writers_that_wait_together_commit_together(file: Path) -> None:
    """Five writers behind a long one share one transaction, in their order, and each gets its own answer."""
    one, other, new = make_archive("one.tar.gz"), make_archive("other.tar.gz"), make_archive("new.tar.gz")
    with watched(file) as (catalog, commits), ThreadPoolExecutor(6) as pool:
        tokens = claimed(catalog, one), claimed(catalog, other)
        commits.clear()
        held = Held(catalog, pool)
        writing = [
            held.queue(catalog.claim, new, LEASE),
            held.queue(catalog.claim, new, LEASE),
            held.queue(catalog.claim, one, LEASE),
            held.queue(catalog.confirm, one, tokens[0]),
            held.queue(catalog.release, other.id, tokens[1]),
        ]

        held.let_go()

        outcomes = [write.result(60) for write in writing]
        assert isinstance(outcomes[0], Claimed)
        assert outcomes[1:] == [ClaimedElsewhere(), ClaimedElsewhere(), None, None]
        assert len(commits) == 1
        assert catalog.page().archives == (one,)
        assert catalog.open_claims() == [new]
        assert catalog.totals() == recounted([one])


def test_a_writer_that_fails_fails_alone(file: Path) -> None:
    """The works that share its transaction are done once, as if it had not been there."""
    first, last, missing = make_archive("first.tar.gz"), make_archive("last.tar.gz"), make_archive("missing.tar.gz")
    with opened(file) as catalog, ThreadPoolExecutor(6) as pool:
        token = claimed(catalog, first)
        held = Held(catalog, pool)
        good = held.queue(catalog.confirm, first, token)
        bad = [
            held.queue(catalog.confirm, missing, token),
            held.queue(catalog.mark, missing.id, ArchiveState.DAMAGED),
        ]
        claiming = held.queue(catalog.claim, last, LEASE)

        held.let_go()

        assert (good.result(60), isinstance(claiming.result(60), Claimed)) == (None, True)
        for write, error in zip(bad, (ClaimLost, ArchiveNotFound), strict=True):
            with pytest.raises(error):
                write.result(60)
        assert catalog.page().archives == (first,)
        assert catalog.open_claims() == [last]
        assert catalog.totals() == recounted([first])


def test_a_shared_transaction_that_cannot_commit_happens_for_nobody(file: Path) -> None:
    """Every writer of it gets the error, and nothing of any is stored."""
    archives = [make_archive(f"number-{n}.tar.gz") for n in range(3)]
    with opened(file, busy_seconds=2) as catalog, ThreadPoolExecutor(6) as pool, raw(file) as elsewhere:
        if elsewhere.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            pytest.skip("in WAL mode readers do not hinder a writer")
        held = Held(catalog, pool)
        claiming = [held.queue(catalog.claim, archive, LEASE) for archive in archives]
        elsewhere.execute("BEGIN")
        elsewhere.execute("SELECT * FROM archives").fetchone()

        held.let_go()

        for claim in claiming:
            with pytest.raises(CatalogBusy):
                claim.result(60)
        elsewhere.execute("ROLLBACK")
        assert catalog.open_claims() == []
        assert all(isinstance(catalog.claim(archive, LEASE), Claimed) for archive in archives)


def test_a_process_killed_in_a_shared_transaction_leaves_nothing_of_it(file: Path) -> None:
    """SIGKILL after the third of five claims was written: the next process finds none, and can claim them all."""
    program = """
import os, signal, sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from tests.adapters.sql.test_catalog import Held, make_archive
from tests.support.watched_catalog import watched
from tests.support.claims import LEASE

claims = 0

def kill(statement, _values):
    global claims
    claims += statement.startswith("INSERT INTO archives")
    if claims == 3:
        os.kill(os.getpid(), signal.SIGKILL)

with watched(Path(sys.argv[1]), kill) as (catalog, _), ThreadPoolExecutor(6) as pool:
    held = Held(catalog, pool)
    for number in range(5):
        held.queue(catalog.claim, make_archive(f"number-{number}.tar.gz"), LEASE)
    held.let_go()
"""
    before = make_archive("before.tar.gz")
    with opened(file) as catalog:
        catalog.claim(before, LEASE)

    run = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, timeout=60)

    assert run.returncode == -signal.SIGKILL, run.stderr
    with opened(file) as catalog:
        assert catalog.open_claims() == [before]
        archives = [make_archive(f"number-{n}.tar.gz") for n in range(5)]
        assert all(isinstance(catalog.claim(archive, LEASE), Claimed) for archive in archives)


def test_one_who_waits_too_long_leaves_the_queue(file: Path) -> None:
    """A claim that gave up is not made later by the next writer with the turn."""
    late, following = make_archive("late.tar.gz"), make_archive("following.tar.gz")
    with opened(file, busy_seconds=0.05) as catalog, ThreadPoolExecutor(6) as pool:
        held = Held(catalog, pool)
        with pytest.raises(CatalogBusy):
            catalog.claim(late, LEASE)

        held.let_go()

        assert isinstance(catalog.claim(following, LEASE), Claimed)
        assert catalog.open_claims() == [following]


# -- what errors mean ------------------------------------------------------------------------------------------------


def _full(file: Path) -> None:
    with raw(file) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA max_page_count = 3")
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")


def _read_only(file: Path) -> None:
    with raw(file) as connection:
        connection.execute("CREATE TABLE t (x)")
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        connection.execute("INSERT INTO t VALUES (1)")


def _locked(file: Path) -> None:
    with raw(file) as one, raw(file) as other:
        one.execute("BEGIN EXCLUSIVE")
        other.execute("CREATE TABLE t (x)")


def _unopened(file: Path) -> None:
    sqlite3.connect(file / "below")


def _no_table(file: Path) -> None:
    with raw(file) as connection:
        connection.execute("SELECT secret FROM missing")


@pytest.mark.parametrize(
    ("provoke", "expected"),
    [
        (_full, InsufficientStorage()),
        (_read_only, ReadOnly()),
        (_locked, CatalogBusy()),
        (_unopened, BackendUnavailable("catalog", "its file cannot be opened")),
        (_no_table, CatalogDamaged(reason=TABLES_CHANGED)),
    ],
    ids=["full", "read-only", "locked", "unopened", "other"],
)
def test_errors_of_sqlite_are_told_apart(file: Path, provoke: Callable[[Path], None], expected: TarkeepError) -> None:
    """Real errors of the driver become those of the domain, without their text."""
    with pytest.raises(sqlite3.Error) as caught:
        provoke(file)

    meant = meaning(caught.value)

    assert (type(meant), str(meant)) == (type(expected), str(expected))


def test_an_unforeseen_error_tells_no_sql(file: Path) -> None:
    """An error of the database in use becomes `CatalogDamaged`, and the writes are rolled back."""
    with opened(file) as catalog:
        token = claimed(catalog, make_archive())
        with raw(file) as connection:
            connection.execute("DROP TABLE totals")

        with pytest.raises(CatalogDamaged) as caught:
            catalog.confirm(make_archive(), token)

        assert str(caught.value) == f"the catalog is not available: {TABLES_CHANGED}"
        assert catalog.open_claims() == [make_archive()]
