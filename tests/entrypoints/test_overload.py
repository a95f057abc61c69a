"""What many clients at once may make the server do, and what the others are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from starlette.testclient import TestClient

from tarkeep.entrypoints.http.app import create_app
from tarkeep.entrypoints.http.context import COMPARED_AT_ONCE, Context
from tarkeep.entrypoints.settings import ServerSettings
from tests.support.assembled import InMemory

INVENTORY = {"local_backups": {"FULL": [{"name": "a.tar.gz"}]}}


@pytest.fixture
def served() -> Iterator[tuple[TestClient, Context]]:
    memory = InMemory()
    with (
        closing(create_app(memory.tarkeep, ServerSettings(upload_wait_seconds=0.05))) as app,
        TestClient(app, "http://127.0.0.1") as client,
    ):
        yield client, app.context


@pytest.mark.parametrize("route", ["/verify", "/api/v1/verify"])
def test_who_finds_all_turns_at_comparing_taken_is_told_when_to_come_again(
    served: tuple[TestClient, Context], route: str
) -> None:
    """After a while of waiting; and once one has ended, he is served."""
    client, context = served
    with ExitStack() as others:
        for _ in range(COMPARED_AT_ONCE):
            others.enter_context(context._comparing)
        refused = client.post(route, json=INVENTORY)
    served_later = client.post(route, json=INVENTORY)

    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert int(refused.headers["retry-after"]) > 0
    assert served_later.status_code == 200
