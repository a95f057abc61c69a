"""
Two servers over one bucket and one PostgreSQL, each with a data directory of its own: what one stores the other has,
and whatever one leaves when it dies, the other settles.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import random
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Thread

import httpx2
import psycopg
import pytest
from attrs import evolve, frozen

from tarkeep.adapters.s3.bucket.objects import ObjectBucket
from tarkeep.adapters.sql.catalog import SqlCatalog
from tests.support.archives import make_archive, make_targz
from tests.support.claims import LEASE, OVER, claimed
from tests.support.object_stores import ObjectStore
from tests.support.postgres import Postgres
from tests.support.server import LiveServer, live_server

FILES = {"notes.txt": b"what one server stored\n"}
CONTENT = make_targz(FILES)
LARGE = make_targz({"noise": random.Random(5).randbytes(20_000_000)})
PLACE = "/api/v1/profiles/laptop/archives/FULL/"
_PATIENCE_SECONDS = 60


@frozen
class Site:
    """Two servers, and the database and the bucket that they share."""

    first: LiveServer
    second: LiveServer
    database: str
    bucket: ObjectBucket

    def listed(self, server: LiveServer) -> dict[str, str]:
        """The SHA-256 of each archive that *server* lists, by its name."""
        with server.client() as client:
            found = client.get("/api/v1/archives", params={"profile": "laptop"}).json()["archives"]
        return {archive["name"]: archive["sha256"] for archive in found}

    def stored_objects(self) -> list[str]:
        """The keys in the bucket that have to do with archives."""
        return [one.key for place in ("archives/", "arrived/") for one in self.bucket.below(place)]


@pytest.fixture
def site(tmp_path: Path, postgres: Postgres, seaweedfs: ObjectStore) -> Iterator[Site]:
    address = seaweedfs.address()
    with postgres.database() as database, ExitStack() as running:
        store = ("--store", seaweedfs.url(address), "--s3-endpoint", seaweedfs.endpoint)
        shared = (*store, "--catalog", database, "--audit-key", str(tmp_path / "audit.key"))
        first, second = (running.enter_context(live_server(tmp_path / name, *shared)) for name in ("first", "second"))
        bucket = ObjectBucket(address.client(), address.bucket, f"{address.prefix}/")
        yield Site(first, second, database, bucket)


def sent(server: LiveServer, name: str, content: bytes = CONTENT) -> httpx2.Response:
    with server.client() as client:
        return client.put(PLACE + name, content=content)


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_what_one_server_stores_the_other_lists_and_restores(site: Site) -> None:
    """At once, byte by byte; and of a name that both are sent, each has the same archive."""
    assert sent(site.first, "a.tar.gz").status_code == 201

    assert site.listed(site.second) == {"a.tar.gz": hashlib.sha256(CONTENT).hexdigest()}
    with site.second.client() as client:
        assert client.get(PLACE + "a.tar.gz").content == CONTENT
        merged = client.get("/api/v1/profiles/laptop/restore.tar", params={"at": "FULL/a.tar.gz"})
        assert merged.status_code == 200, merged.text
    with tarfile.open(fileobj=io.BytesIO(merged.content)) as tar:
        assert {member.name: tar.extractfile(member).read() for member in tar if member.isfile()} == FILES  # type: ignore[union-attr]  # it is a file
    assert sent(site.second, "a.tar.gz").status_code == 200
    assert sent(site.second, "a.tar.gz", make_targz({"other": b"bytes"})).status_code == 409


def test_a_server_killed_in_the_middle_of_an_upload_leaves_nothing_half(site: Site) -> None:
    """Neither server lists anything, and the name is free."""
    host, port = site.first.host_and_port
    with closing(http.client.HTTPConnection(host, port, timeout=60)) as connection:
        connection.putrequest("PUT", PLACE + "a.tar.gz")
        connection.putheader("Content-Length", str(len(LARGE)))
        connection.endheaders()
        connection.send(LARGE[:-10])
        wait_for(lambda: bool(list((site.first.data / "staging").iterdir())))
        site.first.kill()

    assert site.listed(site.second) == {}
    assert open_claims(site) == 0
    assert sent(site.second, "a.tar.gz", LARGE).status_code == 201


def open_claims(site: Site) -> int:
    with closing(SqlCatalog.open(site.database)) as catalog:
        return len(catalog.open_claims())


_HELD_BACK = 1_234_567

_HOLD_BACK = f"""
CREATE FUNCTION hold_back() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock({_HELD_BACK}); RETURN NEW; END $$;
CREATE TRIGGER hold_back BEFORE UPDATE ON archives
    FOR EACH ROW WHEN (OLD.claimed AND NOT NEW.claimed) EXECUTE FUNCTION hold_back();
"""


@contextmanager
def no_confirmation(database: str) -> Iterator[Callable[[], bool]]:
    """While in the context a claim cannot be confirmed: whoever tries waits. Tells whether somebody does."""
    with psycopg.connect(database, autocommit=True) as asking, psycopg.connect(database) as holding:
        asking.execute(_HOLD_BACK.encode())
        holding.execute("SELECT pg_advisory_xact_lock(%s)", [_HELD_BACK])

        def is_waiting() -> bool:
            asked = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
            return asking.execute(asked.encode(), [_HELD_BACK]).fetchone() is not None

        try:
            yield is_waiting
        finally:
            holding.rollback()
            asking.execute(b"DROP FUNCTION hold_back CASCADE")


def test_an_archive_whose_server_died_before_it_confirmed_is_entered_by_the_other(site: Site) -> None:
    """It was published, though its sender was told nothing; sending it again finds it."""
    with no_confirmation(site.database) as is_waiting:
        sending = Thread(target=_try_to_send, args=(site.first,))
        sending.start()
        wait_for(is_waiting)
        site.first.kill()
        sending.join(60)
        assert site.listed(site.second) == {}
    _let_leases_end(site)

    wait_for(lambda: site.listed(site.second) == {"a.tar.gz": hashlib.sha256(CONTENT).hexdigest()})
    assert open_claims(site) == 0
    with site.second.client() as client:
        assert client.get(PLACE + "a.tar.gz").content == CONTENT
    assert sent(site.second, "a.tar.gz").status_code == 200


def _try_to_send(server: LiveServer) -> None:
    with pytest.raises(httpx2.TransportError):
        sent(server, "a.tar.gz")


def _let_leases_end(site: Site) -> None:
    with psycopg.connect(site.database, autocommit=True) as connection:
        connection.execute(b"UPDATE archives SET claim_until_us = 0 WHERE claimed")


def test_a_claim_whose_server_died_before_it_published_is_dropped_by_the_other(site: Site) -> None:
    """Not before its lease has ended; then the name is free, and nothing is in the bucket."""
    left = evolve(make_archive("a.tar.gz", profile="laptop"))
    with closing(SqlCatalog.open(site.database)) as catalog:
        claimed(catalog, left, LEASE)
        assert sent(site.second, "a.tar.gz").status_code == 409
        assert site.stored_objects() == []
        (held,) = catalog.take_over(1, OVER, whatever_lease=True)
        wait_for(lambda: not catalog.open_claims())
    assert held.archive == left
    assert site.stored_objects() == []
    assert sent(site.second, "a.tar.gz").status_code == 201


def test_a_server_that_starts_leaves_claims_of_others_alone(site: Site, tmp_path: Path) -> None:
    """There is no moment at which nobody receives."""
    with closing(SqlCatalog.open(site.database)) as catalog:
        token = claimed(catalog, make_archive("a.tar.gz", profile="laptop"), LEASE)
        site.first.kill()
        command = site.first.process.args
        assert isinstance(command, list)
        shared = command[command.index("--data") + 2 :]
        with live_server(tmp_path / "first", *shared):
            catalog.renew(make_archive("a.tar.gz", profile="laptop").id, token, LEASE)
            catalog.release(make_archive("a.tar.gz", profile="laptop").id, token)
