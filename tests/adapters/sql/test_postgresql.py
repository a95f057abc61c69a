"""What is peculiar to PostgreSQL: connections that end, other processes that write, and the words for what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from threading import Thread

import pytest

from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.errors.capacity import BackendUnavailable, CatalogBusy
from tarkeep.domain.ports.catalog import AlreadyStored, Claimed, ClaimedElsewhere
from tests.support.archives import make_archive
from tests.support.claims import LEASE, OVER, claimed, confirm
from tests.support.losing_proxy import losing_proxy
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
        assert isinstance(catalog.claim(make_archive(f"b{number}.tar.gz"), LEASE), Claimed)
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
        assert isinstance(catalog.claim(archive, LEASE), Claimed)
        assert other.claim(archive, LEASE) == ClaimedElsewhere()
        confirm(catalog, archive)
        assert other.claim(archive, LEASE) == AlreadyStored(archive)


@pytest.mark.parametrize("before", [False, True], ids=["committed", "cut off"])
@pytest.mark.parametrize("losing", [1, 3])
def test_who_has_a_token_learns_what_a_broken_connection_did(
    url: str, postgres: Postgres, losing: int, before: bool
) -> None:
    """Whether the commit had its effect before the connection broke or not: nothing is refused or done twice."""
    names = [f"{number}.tar.gz" for number in range(4)]
    with (
        losing_proxy(postgres.port) as proxy,
        closing(SqlCatalog.open(url.replace(f":{postgres.port}/", f":{proxy.port}/"))) as catalog,
    ):
        proxy.before = before
        for name in names:
            proxy.losing = losing
            token = claimed(catalog, make_archive(name))
            proxy.losing = losing
            catalog.renew(make_archive(name).id, token, LEASE)
            proxy.losing = losing
            if name == names[0]:
                catalog.release(make_archive(name).id, token)
            elif name == names[1]:
                proxy.losing = 0
                catalog.renew(make_archive(name).id, token, OVER)
                proxy.losing = losing
                (taken,) = catalog.take_over(20, LEASE)
                assert taken.archive == make_archive(name)
                catalog.confirm(taken.archive, taken.token)
            else:
                catalog.confirm(make_archive(name), token)
            assert proxy.losing == 0

        assert {archive.id.name for archive in catalog.page().archives} == set(names[1:])
        assert catalog.is_sound()
        assert catalog.open_claims() == []


def test_a_database_that_stays_away_is_told_as_such(url: str, postgres: Postgres) -> None:
    """Not for ever is the same tried again."""
    with (
        losing_proxy(postgres.port) as proxy,
        closing(SqlCatalog.open(url.replace(f":{postgres.port}/", f":{proxy.port}/"))) as catalog,
    ):
        proxy.losing, proxy.before = 1000, True
        with pytest.raises(BackendUnavailable):
            catalog.claim(make_archive(), LEASE)
        proxy.losing = 0
        assert isinstance(catalog.claim(make_archive(), LEASE), Claimed)


def test_leases_end_by_the_clock_of_the_database(url: str, catalog: SqlCatalog) -> None:
    """Not when their transaction began, nor by the clock of a server: a slow one waits for no lease twice."""
    import psycopg

    token = claimed(catalog, make_archive(), timedelta(hours=1))
    with psycopg.connect(url) as other:
        row = other.execute("SELECT claim_until_us - extract(epoch FROM clock_timestamp()) * 1000000 FROM archives")
        ((left_us,),) = row.fetchall()
    assert timedelta(minutes=50) < timedelta(microseconds=int(left_us)) <= timedelta(hours=1)
    assert catalog.take_over(20, LEASE) == []
    catalog.release(make_archive().id, token)


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
