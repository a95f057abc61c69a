"""Servers that write in one PostgreSQL at the same time: beside each other, and as if one had come after the other."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from threading import Event
from time import monotonic

import psycopg
import pytest
from sqlalchemy import text

from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.shared.exclusion import Exclusion, sharing
from tarkeep.adapters.sql.shared.tables import SharedTables
from tarkeep.adapters.sql.shared.upload_rows import SqlUploadSessions
from tarkeep.adapters.sql.statements import Transaction
from tarkeep.domain.archives.archive import ArchiveState
from tarkeep.domain.errors.capacity import CatalogBusy
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.ports.catalog import Claimed
from tarkeep.domain.scrubbing.findings import Fault
from tests.contracts.upload_sessions import upload
from tests.support.archives import NOON, make_archive
from tests.support.catalogs import all_archives, recounted
from tests.support.claims import LEASE, claimed
from tests.support.postgres import Postgres

SERVERS, THREADS = 3, 2
PROFILES = [f"p{number:02}" for number in range(24)]
ARCHIVES = [
    make_archive(f"{number}.tar.gz", profile=profile, type=type)
    for profile in PROFILES
    for type in (BackupType.FULL, BackupType.INC)
    for number in range(3)
]


@pytest.fixture(params=["directly", "pgbouncer"])
def url(request: pytest.FixtureRequest, postgres: Postgres) -> str:
    url = postgres.emptied("beside")
    if request.param == "directly":
        return url
    return url.replace(f":{postgres.port}/", f":{request.getfixturevalue('pgbouncer')}/")


@pytest.fixture
def catalog(url: str) -> Iterator[SqlCatalog]:
    with closing(SqlCatalog.open(url, busy_seconds=60)) as catalog:
        yield catalog


@pytest.fixture
def other(postgres: Postgres, url: str) -> Iterator[psycopg.Connection]:
    """Another server's connection, which ends its transaction at the end."""
    with closing(psycopg.connect(postgres.url("beside"), autocommit=True)) as connection:
        yield connection


def write(catalog: SqlCatalog, number: int) -> Counter[str]:
    """Race for every name, and change some of what was won. Returns how often each profile changed."""
    changes: Counter[str] = Counter()
    chance = random.Random(number)
    for archive in chance.sample(ARCHIVES, len(ARCHIVES)):
        profile = archive.id.profile
        outcome = catalog.claim(archive, LEASE)
        if not isinstance(outcome, Claimed):
            continue
        if chance.random() < 0.2:
            catalog.release(archive.id, outcome.token)
            changes[profile] += catalog.adopt([archive])
            continue
        catalog.confirm(archive, outcome.token)
        changes[profile] += 1
        if chance.random() < 0.3:
            catalog.mark(archive.id, ArchiveState.TRASHED)
            changes[profile] += 1
        elif chance.random() < 0.3:
            catalog.mark(archive.id, ArchiveState.DAMAGED, Fault.DIGEST)
            changes[profile] += 1
    return changes


def test_whatever_servers_write_beside_each_other_adds_up(url: str) -> None:
    """Each name has one winner, totals and versions tell what happened, and who asks for new profiles misses none."""
    done = Event()

    def poll(catalog: SqlCatalog) -> list[str]:
        found: list[str] = []
        mark, is_last = 0, False
        while not is_last:
            is_last = done.is_set()
            new, mark = catalog.profiles_since(mark)
            found += new
        return found

    def want_scrubs(catalog: SqlCatalog) -> None:  # locks many rows of many profiles
        while not done.is_set():
            catalog.scrubs.want()

    with ExitStack() as open_ones, ThreadPoolExecutor(SERVERS * THREADS + 2) as pool:
        opened = [SqlCatalog.open(url, busy_seconds=60) for _ in range(SERVERS)]
        for catalog in opened:
            open_ones.callback(catalog.close)
        polling, wanting = pool.submit(poll, opened[0]), pool.submit(want_scrubs, opened[1])
        try:
            writing = [pool.submit(write, opened[number % SERVERS], number) for number in range(SERVERS * THREADS)]
            changes = sum((one.result(120) for one in writing), Counter[str]())
        finally:
            done.set()
        wanting.result(60)
        found = polling.result(60)

        catalog = opened[0]
        listed = all_archives(catalog)
        assert {one.id for one in [*listed, *catalog.trashed()]} == {one.id for one in ARCHIVES}
        assert len(listed) + len(catalog.trashed()) == len(ARCHIVES)
        assert catalog.totals() == recounted(listed)
        assert catalog.is_sound()
        assert set(found) == set(PROFILES)
        assert {profile: catalog.link_state(profile).version for profile in PROFILES} == dict(changes)


def test_who_writes_to_a_profile_waits_for_nobody_in_another(url: str, other: psycopg.Connection) -> None:
    """Only for who writes to the same one, and as long as said; and who replaces everything waits for all."""
    with closing(SqlCatalog.open(url, busy_seconds=0.1)) as catalog:
        other.execute(sharing("postgresql", 60, "web").encode())

        token = claimed(catalog, make_archive(profile="db"))
        catalog.confirm(make_archive(profile="db"), token)
        with pytest.raises(CatalogBusy):
            catalog.claim(make_archive(profile="web"), LEASE)
        with pytest.raises(CatalogBusy):
            catalog.replace([])
        other.execute(b"ROLLBACK")
        claimed(catalog, make_archive(profile="web"))


def test_a_writer_who_has_to_wait_delays_none_beside_it(
    catalog: SqlCatalog, url: str, other: psycopg.Connection
) -> None:
    """Those who wait with it commit first; it follows when its profile is free."""
    other.execute(sharing("postgresql", 60, "web").encode())
    go_on = Event()
    with ThreadPoolExecutor(4) as pool:
        before = pool.submit(catalog._write, lambda _: go_on.wait(60))
        until(lambda: catalog._writers._is_taken)
        waiting: dict[str, Future[object]] = {}
        for profile in ("db", "web", "mail"):
            waiting[profile] = pool.submit(catalog.claim, make_archive(profile=profile), LEASE)
            until(lambda: catalog._writers.waiting == len(waiting))
        go_on.set()

        assert before.result(60)
        assert isinstance(waiting["db"].result(60), Claimed)
        assert isinstance(waiting["mail"].result(60), Claimed)
        assert not waiting["web"].done()
        other.execute(b"ROLLBACK")
        assert isinstance(waiting["web"].result(60), Claimed)


def until(is_so: Callable[[], bool]) -> None:
    deadline = monotonic() + 60
    while not is_so():
        assert monotonic() < deadline
        Event().wait(0.001)


def test_an_upload_is_judged_while_nobody_adds_to_its_profile(url: str) -> None:
    """Neither a claim can come between its judgement and its saving, nor is another profile held up."""
    with closing(SqlCatalog.open(url, busy_seconds=0.1)) as catalog, closing(SharedTables.open(url)) as tables:

        def judge() -> None:
            with pytest.raises(CatalogBusy):
                catalog.claim(make_archive(profile="laptop"), LEASE)
            claimed(catalog, make_archive(profile="another"))

        SqlUploadSessions(tables, lambda _: None, "here").save(upload("a"), judge)
        claimed(catalog, make_archive(profile="laptop"))


def test_new_profiles_are_numbered_one_after_the_other(url: str, other: psycopg.Connection) -> None:
    """A number that is seen is above all that will be: who numbers waits for the commit of whoever numbered before."""
    known, new = make_archive("b.tar.gz", profile="known"), make_archive(profile="new")
    with closing(SqlCatalog.open(url, busy_seconds=0.1)) as catalog:
        catalog.adopt([make_archive(profile="known")])
        tokens = claimed(catalog, known), claimed(catalog, new)
        other.execute(f"BEGIN; SELECT pg_advisory_xact_lock({Exclusion.NEW_TOTALS.value})".encode())

        catalog.confirm(known, tokens[0])
        with pytest.raises(CatalogBusy):
            catalog.confirm(new, tokens[1])
        other.execute(b"ROLLBACK")
        catalog.confirm(new, tokens[1])


def test_who_is_ended_in_favour_of_another_does_it_again(catalog: SqlCatalog, other: psycopg.Connection) -> None:
    """Two transactions that want each other's rows: the database ends one, and both have their effect."""
    archives = [make_archive(f"{number}.tar.gz") for number in range(2)]
    catalog.adopt(archives)
    catalog.scrubs.want()
    row = "UPDATE checks SET wanted = false WHERE name = '{}'"
    other.execute(f"BEGIN; SET LOCAL deadlock_timeout = '10min'; {row.format(archives[1].id.name)}".encode())
    tries = []

    def want_both(transaction: Transaction) -> None:
        tries.append(1)
        transaction.run(text(row.format(archives[0].id.name)), {})
        if len(tries) == 1:
            waits.set()
        transaction.run(text(row.format(archives[1].id.name)), {})

    waits = Event()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(catalog._write, want_both)
        assert waits.wait(60)
        other.execute(row.format(archives[0].id.name).encode())
        other.execute(b"COMMIT")
        writing.result(60)

    assert len(tries) == 2
    assert not catalog.scrubs.due(NOON, limit=10, wanted_only=True)
