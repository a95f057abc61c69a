"""
The protocol alone, over a transport that only records writes: covers what a socket would show only by chance.
"""

from __future__ import annotations

import asyncio

import uvicorn
from attrs import define, field
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from uvicorn.server import ServerState

from tarkeep.entrypoints.http.edge.protocol import StrictHttpProtocol

HEAD = b"PUT /here HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET /there HTTP/1.1\r\nHost: a\r\n\r\n"


@define
class KeptTransport(asyncio.Transport):
    """Accepts everything; `written` holds the bytes."""

    written: bytes = b""
    _is_closed: bool = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._is_closed:
            self.written += data

    def close(self) -> None:
        self._is_closed = True

    def is_closing(self) -> bool:
        return self._is_closed

    def pause_reading(self) -> None:
        """Does nothing."""

    def resume_reading(self) -> None:
        """Does nothing."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default


@define
class Seen:
    """An application that records the heads and bodies it gets, and answers each in two pieces."""

    requests: list[tuple[list[tuple[bytes, bytes]], bytes]] = field(factory=list)

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        assert scope["type"] == "http"
        body = await self._body(receive)
        self.requests.append((self._headers(scope), body))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
        await send({"type": "http.response.body", "body": b"two", "more_body": False})

    @staticmethod
    def _headers(scope: HTTPScope) -> list[tuple[bytes, bytes]]:
        return list(scope["headers"])

    @staticmethod
    async def _body(receive: ASGIReceiveCallable) -> bytes:
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return body
            body += message["body"]
            if not message["more_body"]:
                return body


def fed(*pieces: bytes) -> tuple[Seen, KeptTransport]:
    """The application and the transport after the pieces have arrived and all requests are answered."""
    seen, transport = Seen(), KeptTransport()

    async def feed() -> None:
        config = uvicorn.Config(seen, ws="none", lifespan="off", log_config=None)
        protocol = StrictHttpProtocol(config, ServerState(), {})
        protocol.connection_made(transport)
        for piece in pieces:
            protocol.data_received(piece)
            await asyncio.sleep(0)
        while protocol.tasks:
            await asyncio.sleep(0)
        protocol.connection_lost(None)

    asyncio.run(asyncio.wait_for(feed(), 60))
    return seen, transport


def test_trailers_are_no_headers() -> None:
    """Data after the last chunk is not added to the headers that the application got."""
    chunk = b"5\r\nhello\r\n"
    seen, transport = fed(HEAD, chunk, b"0\r\nHost: evil\r\nAuthorization: Bearer stolen\r\n\r\n")

    ((headers, body),) = seen.requests
    assert headers == [(b"host", b"a"), (b"transfer-encoding", b"chunked")]
    assert body == b"hello"
    assert transport.written.startswith(b"HTTP/1.1 200 ")


def test_many_pipelined_requests_are_no_long_head() -> None:
    """Requests that arrive together are counted one by one, even if the last of them is incomplete."""
    seen, transport = fed(GET * 2000 + GET[:10], GET[10:])

    assert transport.written.count(b"HTTP/1.1 200 ") == len(seen.requests) == 2001


def test_http_1_0_gets_no_chunks() -> None:
    """An answer of unknown length is sent plainly to a client of HTTP/1.0, and ends with the connection."""
    _, transport = fed(b"GET /there HTTP/1.0\r\n\r\n")

    head, _, body = transport.written.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding" not in head.lower()
    assert b"connection: close" in head.lower()
    assert body == b"one two"


def test_http_1_1_gets_chunks() -> None:
    """The same answer is sent in chunks to a client of HTTP/1.1, which can tell its end from a cut."""
    _, transport = fed(GET)

    head, _, body = transport.written.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    assert body == b"4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n"
