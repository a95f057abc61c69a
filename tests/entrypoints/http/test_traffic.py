"""Whoever sends or gets much counts as being served, until the request has ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing

import pytest
from attrs import define, field
from starlette.types import Message

from tarkeep.entrypoints.http.app import MUCH_BYTES, AroundRequest, create_app
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.server import open_tarkeep
from tests.support.archives import make_targz

CONTENT = make_targz({"noise": os.urandom(3 * MUCH_BYTES)})
TARGET = "/api/v1/profiles/web/archives/FULL/a.tar.gz"


@define
class Client:
    """Sends requests, and notes after each message whether the server counts anybody as served."""

    app: AroundRequest
    seen: list[bool] = field(factory=list)

    def ask(self, method: str, body: bytes = b"") -> int:
        self.seen.clear()
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": TARGET,
            "raw_path": TARGET.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"127.0.0.1"), (b"content-length", str(len(body)).encode())],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        step = MUCH_BYTES // 2
        pieces = [body[start : start + step] for start in range(0, len(body), step)] or [b""]
        status = 0

        async def receive() -> Message:
            self._look()
            if not pieces:  # it waits for the answer
                await asyncio.Event().wait()
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            self._look()

        asyncio.run(self.app(scope, receive, send))
        return status

    def _look(self) -> None:
        self.seen.append(self.is_busy)

    @property
    def is_busy(self) -> bool:
        return self.app.context.tarkeep.traffic.is_busy()


@pytest.fixture
def client() -> Iterator[Client]:
    with (
        open_tarkeep(StorageSettings(store="memory:", catalog="memory:")) as tarkeep,
        closing(create_app(tarkeep)) as app,
    ):
        yield Client(app)


def test_an_upload_counts_once_much_of_it_has_come(client: Client) -> None:
    assert client.ask("PUT", CONTENT) == 201

    assert client.seen[0] is False
    assert client.seen[-1] is True
    assert not client.is_busy


def test_a_download_counts_once_much_of_it_was_sent(client: Client) -> None:
    client.ask("PUT", CONTENT)
    assert client.ask("GET") == 200

    assert client.seen[0] is False
    assert client.seen[-1] is True
    assert not client.is_busy


def test_small_requests_do_not_count(client: Client) -> None:
    assert client.ask("PUT", make_targz()) == 201
    assert client.ask("GET") == 200

    assert client.seen
    assert not any(client.seen)
