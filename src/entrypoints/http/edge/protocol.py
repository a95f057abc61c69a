"""
HTTP/1.1 on the wire: uvicorn's protocol over httptools, with the checks that neither of them makes.

httptools refuses ambiguous framing (Content-Length together with Transfer-Encoding, and the like), so smuggling ends
in a 400. This module refuses what it lets pass: a request without, with two, or with an impossible ``Host``; a version
other than 1.0 and 1.1; any transfer coding but ``chunked``, and that in HTTP/1.0; an endless head, trailer or chunk
extension, and a head that never completes. Trailers are dropped, since the request was judged by its head.
A request refused at this level is answered once and the connection is closed.
"""

from __future__ import annotations

import asyncio
import re
import sys
import uuid
from functools import partial
from http import HTTPStatus

import httptools
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ...logs import Log
from ..answers.download import CUT
from ..answers.problems import Problem, problem_response
from . import security_headers

log = Log("tarkeep.http")

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
_CONTINUE = b"HTTP/1.1 100 "
_HOST = re.compile(rb"([A-Za-z0-9._~%-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")


class StrictHttpProtocol(HttpToolsProtocol):
    """One connection. Each server sets `header_seconds` on a subclass of its own."""

    header_seconds: float = 10.0

    _head_bytes = 0
    _unfinished_bytes = 0  # since the parser last reached the end of a head or a request, or some body
    _got_on = False
    _deadline: asyncio.TimerHandle | None = None
    _refused = False
    _active: RequestResponseCycle | None = None  # the request being answered; uvicorn's `cycle` is the last one read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_complete()
        self._leave_active()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._unset_keepalive_if_required()
        self._got_on = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(_bad_framing("this server speaks HTTP/1.1 only, no upgrades"))
            return
        except _Refusal as refusal:
            self._refuse(refusal.problem)
            return
        except httptools.HttpParserError as error:
            problem = error.__context__.problem if isinstance(error.__context__, _Refusal) else None
            self._refuse(problem or _bad_framing("the request is not well-formed HTTP/1.1"))
            return
        if self._deadline is None and self._is_idle():
            # the parser skips line ends before a request, so a client that sends nothing else has not begun one
            self._expect_head()
        # the parser delivers a single header, trailer or chunk extension, if at all, only once it is complete, and
        # buffers it until then, so an endless one is only noticed here
        self._unfinished_bytes = 0 if self._got_on else self._unfinished_bytes + len(data)
        if self._unfinished_bytes > MAX_HEAD_BYTES:
            self._refuse(_too_large())

    def on_message_begin(self) -> None:
        if self._deadline is None:
            self._expect_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        if self._deadline is None:  # a trailer; uvicorn would add it to the headers that the application has
            return
        super().on_header(name, value)
        if len(self.headers) > MAX_HEADERS:
            raise _Refusal(_too_large())

    def on_headers_complete(self) -> None:
        self._got_on = True
        self._head_complete()
        self._check_framing()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._got_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._got_on = True
        super().on_message_complete()

    def _check_framing(self) -> None:
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            raise _Refusal(_bad_framing("this server speaks HTTP/1.1 only"))
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or (not hosts and version == "1.1"):
            raise _Refusal(_bad_framing("a request needs exactly one Host header"))
        if hosts and not _HOST.fullmatch(hosts[0]):
            raise _Refusal(_bad_framing("the Host header is not the name or address of a host"))
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        # RFC 9112 6.1: with HTTP/1.0 the framing is faulty; and any coding not decoded here would be stored
        if codings and (version == "1.0" or codings != [b"chunked"]):
            raise _Refusal(_bad_framing("the only transfer coding is chunked, in HTTP/1.1"))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._active = cycle
        cycle.transport = _HeadWithBody(self.transport, self.loop)  # type: ignore[assignment]  # all that a cycle needs
        cycle.scope[CUT] = partial(self._cut, cycle)  # type: ignore[literal-required]  # extra keys are allowed
        if cycle.scope["http_version"] == "1.0":
            app = _without_chunks(app, cycle)
        super()._start_asgi_task(cycle, app)

    def _cut(self, cycle: RequestResponseCycle) -> None:
        """Close in the middle of the answer: bytes written so far are sent, and nothing more."""
        cycle.disconnected = True  # otherwise uvicorn reports a fault of the application
        self.transport.close()

    def _leave_active(self) -> None:
        """Tell the request being answered that its client is gone; uvicorn only tells the last one read."""
        if self._active is not None and not self._active.response_complete:
            self._active.disconnected = True
            self._active.message_event.set()

    def _is_idle(self) -> bool:
        """Every request read so far has been answered."""
        return self._active is None or (self._active.response_complete and not self.pipeline)

    def _count(self, length: int) -> None:
        self._head_bytes += length
        if self._head_bytes > MAX_HEAD_BYTES:
            raise _Refusal(_too_large())

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._deadline = self.loop.call_later(self.header_seconds, self._head_is_late)

    def _head_complete(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _head_is_late(self) -> None:
        self._deadline = None
        detail = f"the head of the request was not complete after {self.header_seconds:g} s"
        self._refuse(Problem(408, "request-timeout", detail))

    def _refuse(self, problem: Problem) -> None:
        """Answer once, whatever the application is doing, and close."""
        self._refused = True
        self._head_complete()
        if self.transport.is_closing():
            return
        if self._active is None or self._active.response_complete or not self._active.response_started:
            request_id = str(uuid.uuid4())
            log.info(
                "refused", id=request_id, client=self.client and self.client[0], status=problem.status, why=problem
            )
            response = problem_response(problem, request_id)
            head = [f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}".encode()]
            head += [
                name + b": " + value
                for name, value in (*response.raw_headers, *security_headers.missing_in(response.raw_headers))
            ]
            head += [b"x-request-id: " + request_id.encode(), b"connection: close", b"", bytes(response.body)]
            self.transport.write(b"\r\n".join(head))
        self.transport.close()
        self._leave_active()


class _HeadWithBody:
    """
    The transport of a cycle, which sends the head of an answer together with the first bytes of its body.

    Two writes would be two system calls, two packets, and would wake the client twice.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head: bytes | None = None
        self._is_answered = False

    def write(self, content: bytes) -> None:
        if self._head is not None:
            self._send(self._head + content)
        elif self._is_answered or content.startswith(_CONTINUE):
            self._transport.write(content)
        else:
            self._head = content
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def _flush(self) -> None:
        if self._head is not None:
            self._send(self._head)

    def _send(self, content: bytes) -> None:
        self._head, self._is_answered = None, True
        self._transport.write(content)


class _Refusal(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def _without_chunks(app: ASGI3Application, cycle: RequestResponseCycle) -> ASGI3Application:
    """*app*, with answers of unknown length ended by closing: uvicorn sends chunks, which HTTP/1.0 lacks."""

    async def answer(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        is_unknown = False

        async def send_plain(message: ASGISendEvent) -> None:
            nonlocal is_unknown
            if message["type"] == "http.response.start":
                is_unknown = not any(name.lower() == b"content-length" for name, _ in message.get("headers", ()))
                if is_unknown:
                    cycle.chunked_encoding = False
                    cycle.expected_content_length = sys.maxsize
            elif is_unknown and message["type"] == "http.response.body" and not message.get("more_body", False):
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await app(scope, receive, send_plain)

    return answer


def _bad_framing(detail: str) -> Problem:
    return Problem(400, "bad-request-framing", detail)


def _too_large() -> Problem:
    detail = f"the head of a request may have {MAX_HEAD_BYTES} bytes and {MAX_HEADERS} headers"
    return Problem(431, "headers-too-large", detail, extras={"limit": MAX_HEAD_BYTES})
