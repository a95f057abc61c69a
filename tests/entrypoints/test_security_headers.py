"""Every answer says that it is data: no page, nothing for other sites, nothing for a cache."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from tarkeep.entrypoints.http.app import create_app
from tarkeep.entrypoints.settings import StorageSettings
from tarkeep.entrypoints.wiring import open_tarkeep
from tests.support.tars import END, gz, member

NAMES = {"profile": "host", "type": "FULL", "name": "a.tar.gz", "path": "a", "id": "x", "upload": "x"}
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
    """A client, and the method and path of every route, its places filled in."""
    with (
        open_tarkeep(StorageSettings(store="memory:", catalog="memory:")) as tarkeep,
        closing(create_app(tarkeep)) as app,
        TestClient(app, "http://127.0.0.1", raise_server_exceptions=False) as client,
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


def check(answer: httpx2.Response) -> None:
    assert {name: answer.headers.get(name) for name in EXPECTED} == EXPECTED
    assert answer.headers.get_list("cache-control") in [[value] for value in KEPT_BY_NOBODY]
    assert "access-control-allow-origin" not in answer.headers


def test_the_answers_of_every_route_carry_them(served: tuple[TestClient, list[tuple[str, str]]]) -> None:
    """Each method of each route that the router knows, whatever it answers to an empty request."""
    client, routes = served
    assert len(routes) > 40

    statuses = set()
    for method, path in routes:
        answer = client.request(method, path)
        check(answer)
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
    """Also where no route answers, and where bytes are streamed."""
    answer = served[0].request(method, path, headers=headers)

    assert answer.status_code == status
    check(answer)
