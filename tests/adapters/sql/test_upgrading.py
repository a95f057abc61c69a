"""Schemas that are older and newer than this version: who may use them, and who changes them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import closing
from threading import Thread

import pytest
from sqlalchemy import create_engine, text

from tarkeep.adapters.sql.agreed.upgrading import Upgraded, check_schema, upgrade_database
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.engine import connect
from tarkeep.adapters.sql.schema import HEAD, OLDEST_READER, migrate
from tarkeep.adapters.sql.shared.tables import SharedTables
from tarkeep.domain.errors.capacity import BackendUnavailable, CatalogBusy
from tarkeep.domain.errors.settings import CatalogOlder, FormatUnknown
from tests.support.archives import make_archive
from tests.support.postgres import Postgres

BEFORE = f"{int(HEAD) - 1:04d}"
NEWER = f"{int(HEAD) + 1:04d}"


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[str]:
    """A database without tables."""
    postgres.execute("CREATE DATABASE of_some_revision")
    try:
        yield postgres.url("of_some_revision")
    finally:
        postgres.execute("DROP DATABASE of_some_revision WITH (FORCE)")


def at_revision(url: str, revision: str) -> None:
    engine = connect(url, 60)
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN")
        migrate(connection, None, revision)
    engine.dispose()


def change(url: str, *statements: str) -> None:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def newer(url: str, oldest_reader: str) -> None:
    """As a newer version leaves the tables."""
    change(
        url,
        "ALTER TABLE archives ADD COLUMN later TEXT",
        "CREATE TABLE later (number BIGINT PRIMARY KEY)",
        f"UPDATE alembic_version SET version_num = '{NEWER}'",
        f"UPDATE compat SET oldest_reader = '{oldest_reader}'",
    )


def test_an_older_database_is_changed_only_when_somebody_says_so(empty: str) -> None:
    """A server says what to do; the upgrade is done once, and what is there stays."""
    at_revision(empty, BEFORE)
    with pytest.raises(CatalogOlder, match=f"schema {BEFORE}, and this version needs {HEAD}; upgrade it"):
        SqlCatalog.open(empty)

    assert upgrade_database(empty) == Upgraded(BEFORE, HEAD)
    assert upgrade_database(empty) == Upgraded(HEAD, HEAD)
    with closing(SqlCatalog.open(empty)) as catalog:
        catalog.adopt([make_archive()])


def test_an_empty_database_gets_its_tables(empty: str) -> None:
    assert upgrade_database(empty) == Upgraded(None, HEAD)
    SqlCatalog.open(empty).close()


def test_migrated_tables_say_the_same_of_their_readers_as_new_ones(empty: str) -> None:
    at_revision(empty, HEAD)
    with closing(SharedTables.open(empty)) as tables:
        assert [tuple(row) for row in tables.all(text("SELECT number, oldest_reader FROM compat"), {})] == [
            (1, OLDEST_READER)
        ]


def test_several_upgrade_at_once(empty: str) -> None:
    """One of them does it, and the others find it done."""
    at_revision(empty, BEFORE)
    done: list[Upgraded] = []
    threads = [Thread(target=lambda: done.append(upgrade_database(empty, 60))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {one.after for one in done} == {HEAD}
    assert len(done) == 4


def test_a_table_that_is_in_use_delays_no_server(empty: str) -> None:
    """The upgrade gives up, and changes nothing, rather than that all others wait behind it."""
    import psycopg

    at_revision(empty, "0005")
    with psycopg.connect(empty) as other:
        other.execute("LOCK TABLE archives IN ACCESS SHARE MODE")
        with pytest.raises(CatalogBusy):
            upgrade_database(empty, 0.2)
    assert upgrade_database(empty) == Upgraded("0005", HEAD)


def test_a_newer_schema_is_used_if_it_may_be(empty: str, caplog: pytest.LogCaptureFixture) -> None:
    """A release only adds; the version before goes on, and says at its start that it is not the newest."""
    with closing(SqlCatalog.open(empty)) as running, closing(SharedTables.open(empty)) as tables:
        newer(empty, OLDEST_READER)
        running.adopt([make_archive("a.tar.gz")])
        check_schema(tables)
        with caplog.at_level(logging.WARNING), closing(SqlCatalog.open(empty)) as started:
            started.adopt([make_archive("b.tar.gz")])
            assert len(started.page().archives) == 2
        assert upgrade_database(empty) == Upgraded(NEWER, NEWER)
    assert re.search(f"newer schema {NEWER}; this version knows {HEAD}, and can use it", caplog.text)


def test_a_schema_for_newer_versions_is_not_used(empty: str) -> None:
    """A server that runs notices, and one that starts says so."""
    with closing(SqlCatalog.open(empty)), closing(SharedTables.open(empty)) as tables:
        newer(empty, NEWER)
        with pytest.raises(BackendUnavailable, match="its schema is for newer versions only"):
            check_schema(tables)
        for opening in (SqlCatalog.open, upgrade_database):
            with pytest.raises(FormatUnknown, match=f"unknown schema revision '{NEWER}'"):
                opening(empty)
