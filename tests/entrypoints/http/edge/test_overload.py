"""Limits on the work of many concurrent clients, and the answers that the others get."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from starlette.testclient import TestClient

from tarkeep.entrypoints.http.app import create_app
from tarkeep.entrypoints.http.context import COMPARED_AT_ONCE, MERGED_AT_ONCE, RESTORED_AT_ONCE, Context
from tarkeep.entrypoints.settings.server import ServerSettings
from tests.support.archives import make_targz
from tests.support.assembled import InMemory, offer

INVENTORY = {"local_backups": {"FULL": [{"name": "a.tar.gz"}]}}


@pytest.fixture
def served() -> Iterator[tuple[TestClient, Context]]:
    memory = InMemory()
    memory.tarkeep.receive(offer(profile="host"), [make_targz({"a": b"1"})])
    with (
        closing(create_app(memory.tarkeep, ServerSettings(upload_wait_seconds=0.05))) as app,
        TestClient(app, "http://127.0.0.1") as client,
    ):
        yield client, app.context


@pytest.mark.parametrize("route", ["/verify", "/api/v1/verify"])
def test_who_finds_all_turns_at_comparing_taken_is_told_when_to_come_again(
    served: tuple[TestClient, Context], route: str
) -> None:
    """After a while of waiting; and once one comparison has ended, the client is served."""
    client, context = served
    with ExitStack() as others:
        for _ in range(COMPARED_AT_ONCE):
            others.enter_context(context._comparing)
        refused = client.post(route, json=INVENTORY)
    served_later = client.post(route, json=INVENTORY)

    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert int(refused.headers["retry-after"]) > 0
    assert served_later.status_code == 200


@pytest.mark.parametrize("route", ["tree", "find?name=a", "restore.tar", "restore.tar.gz"])
def test_few_trees_are_merged_at_once(served: tuple[TestClient, Context], route: str) -> None:
    """A client without a slot waits a while and is told to come again; a cached tree needs no slot."""
    client, context = served
    url = f"/api/v1/profiles/host/{route}"
    context._merging._value -= MERGED_AT_ONCE
    refused = client.get(url)
    context._merging._value += MERGED_AT_ONCE
    first = client.get(url)
    context._merging._value -= MERGED_AT_ONCE
    again = client.get(url)

    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert int(refused.headers["retry-after"]) > 0
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.content == again.content or route.endswith("gz")


@pytest.mark.parametrize("route", ["restore.tar", "restore.tar.gz"])
def test_so_many_trees_are_given_back_at_once(served: tuple[TestClient, Context], route: str) -> None:
    """The next is told to come again, at once; each that ended, well or not, frees a slot."""
    client, context = served
    url = f"/api/v1/profiles/host/{route}"
    with ExitStack() as others:
        for _ in range(RESTORED_AT_ONCE):
            others.enter_context(context.restoring())
        refused = client.get(url)
    answers = [client.request(method, url) for method in ("GET", "HEAD") for _ in range(RESTORED_AT_ONCE)]
    missing = [client.get(url, params={"path": "none"}) for _ in range(RESTORED_AT_ONCE + 1)]

    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert int(refused.headers["retry-after"]) > 0
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.status_code for answer in missing} == {404}
