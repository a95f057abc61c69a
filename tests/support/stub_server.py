"""An HTTP server that answers every request alike, with what a test decides, and remembers what it was asked."""

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
    """What it answers, and the headers of the requests so far. A method in *silent* sets *is_waited_for* instead."""

    url: str
    answer: Answer
    silent: frozenset[str] = frozenset()
    is_waited_for: threading.Event = field(factory=threading.Event)
    asked: list[dict[str, str]] = field(factory=list)


@contextmanager
def stub_server(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[StubServer]:
    """One on a free port of 127.0.0.1, over *tls* if that is given."""

    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            if self.command in stub.silent:
                stub.is_waited_for.set()
                is_over.wait()
                self.close_connection = True
                return
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            stub.asked.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(stub.answer.status)
            for name, value in {**stub.answer.headers, "Content-Length": str(len(stub.answer.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(stub.answer.body)

        do_GET = do_POST = do_PUT = do_PATCH = _any

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
