"""An HTTP server that answers every request alike, as set by the test, and remembers the requests."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from attrs import define, field, frozen


@frozen
class Answer:
    """A whole answer."""

    status: int
    body: bytes = b"{}"
    headers: Mapping[str, str] = {"Content-Type": "application/json"}


@define
class StubServer:
    """
    Its responses, *first* in order and then always *answer*; and the requests so far: their headers, and their *lines*,
    such as ``GET /path?query``, with their *bodies*. A method in *silent* sets *is_waited_for* instead.
    """

    url: str
    answer: Answer
    first: list[Answer] = field(factory=list)
    silent: frozenset[str] = frozenset()
    is_waited_for: threading.Event = field(factory=threading.Event)
    asked: list[dict[str, str]] = field(factory=list)
    lines: list[str] = field(factory=list)
    bodies: list[bytes] = field(factory=list)


@contextmanager
def stub_server(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[StubServer]:
    """A server on a free port of 127.0.0.1, over *tls* if given."""

    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            if self.command in stub.silent:
                stub.is_waited_for.set()
                is_over.wait()
                self.close_connection = True
                return
            stub.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
            stub.asked.append({name.lower(): value for name, value in self.headers.items()})
            stub.lines.append(f"{self.command} {self.path}")
            answer = stub.first.pop(0) if stub.first else stub.answer
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        stub = StubServer(f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}", answer)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield stub
        finally:
            is_over.set()
            server.shutdown()
            serving.join()
