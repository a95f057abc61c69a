"""Receivers of notices: programs on 127.0.0.1 that take them, refuse them, or do neither."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from attrs import define, field


@define
class Received:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        return cast("dict[str, Any]", json.loads(self.body))


@define
class Receiver:
    """
    A webhook receiver at *url*. It answers each request with the next of *answers*, then 200: a status, ``hang`` (no
    answer until the end), ``drip`` (a byte now and then), ``redirect``, or ``drop`` (the connection is closed).
    """

    url: str = ""
    answers: list[int | str] = field(factory=list)
    came: list[Received] = field(factory=list)
    is_over: threading.Event = field(factory=threading.Event)
    arrived: threading.Condition = field(factory=threading.Condition)

    def wait_for(self, number: int, seconds: float = 90) -> list[Received]:
        """What came, once it is so many."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.came) >= number, seconds), self.came
            return list(self.came)


@contextmanager
def receiver(*answers: int | str) -> Iterator[Receiver]:
    """A receiver on a free port, which gives these answers first."""
    state = Receiver(answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            with state.arrived:
                answer = state.answers.pop(0) if state.answers else 200
                state.came.append(Received(self.command, self.path, dict(self.headers.items()), body))
                state.arrived.notify_all()
            self.close_connection = True
            if answer == "hang":
                state.is_over.wait(60)
            elif answer == "drip":
                try:
                    while not state.is_over.wait(0.05):
                        self.wfile.write(b"H")
                        self.wfile.flush()
                except OSError:
                    return
            elif answer == "redirect":
                self.send_response(302)
                self.send_header("Location", f"{state.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif answer != "drop":
                self.send_response(int(answer))
                self.send_header("Content-Length", "0")
                self.end_headers()

        do_GET = do_POST

        def log_message(self, format: str, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()
