"""
A line to an object store that fails in a chosen way, request by request.

It is an HTTP proxy without TLS in front of one address.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

from attrs import define, field

SLOW_SECONDS = 0.3
_SLOW_DOWN = b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>please</Message></Error>'


class LineFault(Enum):
    """What happens to a request."""

    NONE = auto()
    ANSWER_LOST = auto()
    """It has its effect, and the connection breaks before the answer."""
    SLOW_DOWN = auto()
    """It has no effect, and the answer is 503."""
    SLOW = auto()
    """The answer comes late."""
    CUT = auto()
    """Half of the answer's body comes."""
    WRONG_BYTES = auto()
    """A bit of the request's body is flipped on its way."""


@define(eq=False)
class FaultyLine:
    """The proxy at *url*. *plan* gives the fault of a request by its method and path; *done* counts what happened."""

    url: str
    plan: Callable[[str, str], LineFault] = field(default=lambda _method, _path: LineFault.NONE)
    done: Counter[LineFault] = field(factory=Counter)
    random: Random = field(factory=lambda: Random(1))


@contextmanager
def faulty_line(endpoint: str) -> Iterator[FaultyLine]:
    """A proxy before the object store at *endpoint*."""
    address = endpoint.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: object) -> None:
            """Nobody reads it."""

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = line.plan(self.command, self.path)
            line.done[fault] += 1
            if fault is LineFault.SLOW_DOWN:
                self._answer(503, [], _SLOW_DOWN)
                return
            if fault is LineFault.WRONG_BYTES and body:
                at, bit = line.random.randrange(len(body)), line.random.randrange(8)
                body = body[:at] + bytes([body[at] ^ 1 << bit]) + body[at + 1 :]
            connection = http.client.HTTPConnection(address, timeout=60)
            try:
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in ("connection", "expect"):
                        connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                content, told = answer.read(), answer.getheaders()
            finally:
                connection.close()
            if fault is LineFault.ANSWER_LOST:
                self.close_connection = True
                return
            if fault is LineFault.SLOW:
                time.sleep(SLOW_SECONDS)
            self._answer(answer.status, told, content, cuts=fault is LineFault.CUT)

        def _answer(self, status: int, told: list[tuple[str, str]], content: bytes, *, cuts: bool = False) -> None:
            self.send_response_only(status)
            length = dict(told).get("Content-Length", str(len(content)))
            for name, value in told:
                if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if cuts else content)
            self.close_connection = cuts

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        line = FaultyLine(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield line
        finally:
            server.shutdown()
            thread.join()
