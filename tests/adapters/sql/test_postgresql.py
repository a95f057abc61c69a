"""What is peculiar to PostgreSQL: connections that end, other processes that write, and the words for what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from threading import Thread

import pytest

from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.errors.capacity import BackendUnavailable, CatalogBusy
from tarkeep.domain.ports.catalog import AlreadyStored, Claimed, ClaimedElsewhere
from tests.support.archives import make_archive
from tests.support.postgres import Postgres

_END_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'catalog%'"
_WRITING = 8386654245126367598


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture
def catalog(url: str) -> Iterator[SqlCatalog]:
    with closing(SqlCatalog.open(url, busy_seconds=60)) as catalog:
        yield catalog


def test_connections_that_the_database_ended_are_made_again(catalog: SqlCatalog, postgres: Postgres) -> None:
    """All of the pool at once, as when it is restarted: neither reading nor writing fails by it."""
    catalog.adopt([make_archive("a.tar.gz")])
    readers = [Thread(target=catalog.totals) for _ in range(8)]
    for thread in readers:
        thread.start()
    for thread in readers:
        thread.join()
    for number in range(3):
        postgres.execute(_END_ALL)
        assert catalog.find(make_archive("a.tar.gz").id) == make_archive("a.tar.gz")
        postgres.execute(_END_ALL)
        assert catalog.claim(make_archive(f"b{number}.tar.gz")) == Claimed()
    assert catalog.is_sound()


def test_a_transaction_that_is_cut_off_leaves_nothing(catalog: SqlCatalog, postgres: Postgres) -> None:
    """It is told as the database being away, and the next one works."""

    def archives() -> Iterator[object]:
        yield make_archive("a.tar.gz")
        postgres.execute(_END_ALL)

    with pytest.raises(BackendUnavailable):
        catalog.replace(archives())  # type: ignore[arg-type]  # objects are archives
    assert catalog.totals() == []
    catalog.adopt([make_archive("b.tar.gz")])
    assert [row.archives for row in catalog.totals()] == [1]


def test_another_process_that_writes_is_waited_for_only_so_long(url: str, postgres: Postgres) -> None:
    """Then the catalog is busy; nothing was done."""
    import psycopg

    with closing(SqlCatalog.open(url, busy_seconds=0.05)) as catalog:
        with psycopg.connect(url) as other:
            other.execute("SELECT pg_advisory_xact_lock(%s)", [_WRITING])
            with pytest.raises(CatalogBusy):
                catalog.adopt([make_archive()])
        catalog.adopt([make_archive()])
        assert len(catalog.totals()) == 1


def test_of_two_processes_one_gets_a_name(url: str, catalog: SqlCatalog) -> None:
    """The other is told that it is claimed, and later that it is stored."""
    archive = make_archive()
    with closing(SqlCatalog.open(url)) as other:
        assert catalog.claim(archive) == Claimed()
        assert other.claim(archive) == ClaimedElsewhere()
        catalog.confirm(archive)
        assert other.claim(archive) == AlreadyStored(archive)


@pytest.mark.parametrize(
    "wrong",
    ["postgresql://postgres@127.0.0.1:1/x", "postgresql://postgres@{place}/no_such_database"],
)
def test_a_database_that_is_not_there(postgres: Postgres, wrong: str) -> None:
    """A plain error without the address, which may hold a password."""
    with pytest.raises(BackendUnavailable) as caught:
        SqlCatalog.open(wrong.format(place=f"127.0.0.1:{postgres.port}"))
    assert caught.value.what == "catalog"
    assert "127.0.0.1" not in str(caught.value)
