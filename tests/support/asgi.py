"""Requests to an application without a connection: tens of thousands of them within seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from urllib.parse import unquote

from attrs import define, field
from starlette.types import ASGIApp, Message


@define
class Asked:
    """The response."""

    status: int = 0
    headers: dict[str, str] = field(factory=dict)
    body: bytearray = field(factory=bytearray)


def ask(
    runner: asyncio.Runner,
    app: ASGIApp,
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> Asked:
    """Send one request with its whole body, and return the response."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (b"host", b"127.0.0.1"),
            (b"content-length", str(len(body)).encode()),
            *((name.lower().encode(), value.encode()) for name, value in headers),
        ],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    asked = Asked()
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if pending:
            return pending.pop()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            asked.status = message["status"]
            asked.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            asked.body += message.get("body", b"")

    async def asking() -> None:
        await app(scope, receive, send)

    runner.run(asking())
    return asked
