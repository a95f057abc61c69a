"""A server whose bucket or database is away for a while: what it answers meanwhile, and that it goes on afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from attrs import frozen

from tests.support.archives import make_targz
from tests.support.gate import Gate
from tests.support.object_stores import ObjectStore
from tests.support.postgres import Postgres
from tests.support.server import live_server

PLACE = "/api/v1/profiles/laptop/archives/FULL/"
CONTENT = make_targz()
_PATIENCE_SECONDS = 60


@frozen
class Site:
    """A client of the server, and the ways from that to its *bucket* and its *database*."""

    client: httpx2.Client
    bucket: Gate
    database: Gate

    def put(self, name: str) -> httpx2.Response:
        return self.client.put(PLACE + name, content=CONTENT)

    def names(self) -> list[str]:
        answer = self.client.get("/api/v1/archives").raise_for_status()
        return [archive["name"] for archive in answer.json()["archives"]]

    def status(self, path: str) -> int:
        return self.client.get(path).status_code


@pytest.fixture
def site(tmp_path: Path, seaweedfs: ObjectStore, postgres: Postgres) -> Iterator[Site]:
    endpoint = urlsplit(seaweedfs.endpoint)
    with postgres.database() as url, ExitStack() as opened:
        bucket = opened.enter_context(Gate(("127.0.0.1", endpoint.port or 0)))
        database = opened.enter_context(Gate(("127.0.0.1", postgres.port)))
        store = ("--store", seaweedfs.url(seaweedfs.address()), "--s3-endpoint", f"http://127.0.0.1:{bucket.port}")
        catalog = url.replace(f":{postgres.port}/", f":{database.port}/")
        server = opened.enter_context(live_server(tmp_path / "data", *store, "--catalog", catalog))
        yield Site(opened.enter_context(server.client()), bucket, database)


def test_a_bucket_that_is_away(site: Site) -> None:
    """Lists are answered; what needs bytes is to be tried again later; and nothing is half there afterwards."""
    assert site.put("a.tar.gz").status_code == 201
    site.bucket.shut()

    assert site.names() == ["a.tar.gz"]
    refused = site.put("b.tar.gz")
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert site.status(PLACE + "a.tar.gz") == 503
    assert site.status("/readyz") == 503

    site.bucket.open()
    assert site.status("/readyz") == 200
    assert site.names() == ["a.tar.gz"]
    assert site.client.get(PLACE + "a.tar.gz").content == CONTENT
    assert site.put("b.tar.gz").status_code == 201


def test_a_database_that_is_away(site: Site) -> None:
    """Nothing is acknowledged and nobody comes in; when it is back, all goes on."""
    assert site.put("a.tar.gz").status_code == 201
    site.database.shut()

    refused = site.put("b.tar.gz")
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert (site.status("/api/v1/archives"), site.status("/readyz")) == (503, 503)

    site.database.open()
    until = time.monotonic() + _PATIENCE_SECONDS
    while site.status("/readyz") != 200:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert site.put("b.tar.gz").status_code == 201
    assert sorted(site.names()) == ["a.tar.gz", "b.tar.gz"]
    assert site.client.get(PLACE + "b.tar.gz").content == CONTENT
