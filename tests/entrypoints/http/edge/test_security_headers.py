"""Every answer but a page declares that it is data; all that they are not for other sites, and not for a cache."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.domain.access.tokens import Scope
from tarkeep.domain.errors.capacity import BackendUnavailable
from tarkeep.entrypoints.http.app import create_app
from tarkeep.entrypoints.http.ui.rendering import POLICY
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.host import open_tokens
from tarkeep.entrypoints.wiring.server import open_tarkeep
from tests.support.assembled import assembled
from tests.support.clocks import FixedClock
from tests.support.faulty import Fault, FaultyCatalog
from tests.support.raw_http import Answer, request, talk
from tests.support.server import LiveServer, in_process, live_server
from tests.support.tars import END, gz, member

HERE = "http://127.0.0.1"  # an open server answers only to its own names
NAMES = {
    "profile": "host",
    "type": "FULL",
    "name": "a.tar.gz",
    "path": "a",
    "id": "x",
    "upload": "x",
    "hold": "audit",
    "job": "purge",
}
EXPECTED = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
KEPT_BY_NOBODY = {"no-store", "private, no-cache"}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[TestClient, list[tuple[str, str]]]]:
    """A client, and the method and path of every route, its parameters filled in."""
    with (
        open_tarkeep(StorageSettings(store="memory:", catalog="memory:")) as tarkeep,
        closing(create_app(tarkeep)) as app,
        TestClient(app, HERE, raise_server_exceptions=False) as client,
    ):
        assert isinstance(app.app, Starlette)
        client.put("/api/v1/profiles/host/archives/FULL/a.tar.gz", content=gz(member(b"a", b"x") + END))
        yield (
            client,
            [
                (method, re.sub(r"{(\w+)(:\w+)?}", lambda found: NAMES[found[1]], route.path))
                for route in app.app.routes
                if isinstance(route, Route)
                for method in sorted(route.methods or ())
            ],
        )


def check(answer: httpx2.Response | Answer, *, is_of_pages: bool = False) -> None:
    found = {name: answer.headers.get(name) for name in EXPECTED}
    if is_of_pages and found["content-security-policy"] == POLICY:
        found["content-security-policy"] = EXPECTED["content-security-policy"]
    assert found == EXPECTED
    assert answer.headers["cache-control"] in KEPT_BY_NOBODY
    assert "access-control-allow-origin" not in answer.headers


def test_the_answers_of_every_route_carry_them(served: tuple[TestClient, list[tuple[str, str]]]) -> None:
    """Each method of each route that the router knows, whatever it answers to an empty request."""
    client, routes = served
    assert len(routes) > 40

    statuses = set()
    for method, path in routes:
        answer = client.request(method, path)
        check(answer, is_of_pages=path.startswith("/ui/"))
        statuses.add(answer.status_code)

    assert {200, 400, 404} <= statuses


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("BREW", "/list", {}, 405),
        ("GET", "/list?profile=%ff", {}, 400),
        ("GET", "/download/FULL/a.tar.gz", {"Range": "bytes=0-1"}, 206),
        ("GET", "/download/FULL/a.tar.gz", {"Range": "bytes=9999-"}, 416),
        ("GET", "/download/FULL/a.tar.gz", {"If-None-Match": "*"}, 304),
        ("GET", "/api/v1/profiles/host/restore.tar.gz", {}, 200),
    ],
)
def test_refusals_and_parts_carry_them(
    served: tuple[TestClient, list[tuple[str, str]]], method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """Even if no route answers, and if bytes are streamed."""
    answer = served[0].request(method, path, headers=headers)

    assert answer.status_code == status
    check(answer)


ARCHIVE = "/api/v1/profiles/host/archives/FULL/b.tar.gz"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /list HTTP/1.1\r\n\r\n", 400),
        (b"garbage\r\n\r\n", 400),
        (b"GET /list HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /list HTTP/1.1\r\nHost: localhost\r\n", 408),
        (request("PUT", ARCHIVE, {"Content-Length": "1000"}, b"x"), 408),
        (request("PUT", ARCHIVE, {"Content-Length": "100000000"}, b"x"), 413),
        (request("GET", "/list", {"Host": "evil.example", "Connection": "close"}), 403),
    ],
    ids=["no host", "garbage", "long head", "late head", "stalled body", "too large", "foreign"],
)
def test_refusals_by_the_protocol_carry_them(strict: LiveServer, sent: bytes, status: int) -> None:
    """Even if the bytes never were a request."""
    (answer,) = talk(strict.host_and_port, sent)

    assert answer.status == status
    check(answer)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    options = ("--header-seconds", "0.5", "--body-seconds", "0.5", "--max-upload-bytes", "1M")
    with live_server(tmp_path_factory.mktemp("headers") / "data", *options) as server:
        yield server


@pytest.mark.parametrize(("error", "status"), [(RuntimeError("a bug"), 500), (BackendUnavailable("catalog"), 503)])
def test_failures_carry_them(error: Exception, status: int) -> None:
    """Even if the server does not know the cause."""
    clock = FixedClock()
    tarkeep = assembled(MemoryArchiveStore(clock), FaultyCatalog(Fault("totals", error)), clock)
    with closing(create_app(tarkeep)) as app, TestClient(app, HERE, raise_server_exceptions=False) as client:
        answer = client.get("/stats")

    assert answer.status_code == status
    check(answer)


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("tk_wrong", 401), ("list", 403)])
def test_who_is_not_let_in_is_told_with_them(tmp_path: Path, token: str | None, status: int) -> None:
    """Before any route is called."""
    storage = StorageSettings(data=tmp_path / "data")
    with in_process(storage) as (client, _):
        right = open_tokens(storage).make(frozenset({Scope.LIST}), ("*",)).text
        headers = {"Authorization": f"Bearer {right if token == 'list' else token}"} if token else {}
        answer = client.get("/download/FULL/a.tar.gz", headers=headers)

    assert answer.status_code == status
    check(answer)
