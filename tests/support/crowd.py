"""
Many clients at once: uploads in every way, over plain sockets, and clients that only hold a connection.

Made of the cheapest parts of the standard library, so that a crowd fits beside the server on two cores.
"""

from __future__ import annotations

import gzip
import http.client
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from attrs import frozen

from tests.support.archives import make_tar
from tests.support.forms import field_part, file_part, form, form_headers
from tests.support.raw_http import PATIENCE_SECONDS
from tests.support.server import LiveServer
from tests.support.tus import BYTES, TUS, UPLOADS, described

ReceiveOutcome = TypeVar("ReceiveOutcome")

WAYS = ("form", "put", "tus")


@frozen
class Reply:
    """A response, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def code(self) -> object:
        return json.loads(self.body)["code"]


def noise(size: int, seed: int) -> bytes:
    """A .tar.gz of about *size* bytes, quickly made."""
    return gzip.compress(make_tar({"noise": random.Random(seed).randbytes(size)}), compresslevel=0, mtime=0)


def archive_path(profile: str, name: str) -> str:
    return f"/api/v1/profiles/{profile}/archives/FULL/{name}"


class Caller:
    """One client with one connection, which is opened again after the server has closed it."""

    def __init__(self, server: LiveServer) -> None:
        self._connection = http.client.HTTPConnection(*server.host_and_port, timeout=6 * PATIENCE_SECONDS)

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        self._connection.request(method, path, body or None, dict(headers or {}))
        response = self._connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, named, response.read())

    def upload(self, way: str, profile: str, name: str, content: bytes) -> Reply:
        """Send *content*. Returns the response to the last request, or to the first that failed."""
        if way == "form":
            parts = form(field_part("profile", profile), field_part("type", "FULL"), file_part(content, name))
            return self.ask("POST", "/upload", parts, form_headers())
        if way == "put":
            return self.ask("PUT", archive_path(profile, name), content)
        about = described(filename=name, profile=profile, type="FULL")
        reply = self.ask("POST", UPLOADS, b"", {**TUS, "Upload-Length": str(len(content)), "Upload-Metadata": about})
        place, half = reply.headers.get("location", ""), len(content) // 2
        for start, piece in ((0, content[:half]), (half, content[half:])):
            if reply.is_success:
                reply = self.ask("PATCH", place, piece, {**BYTES, "Upload-Offset": str(start)})
        return reply

    def download(self, profile: str, name: str) -> bytes:
        reply = self.ask("GET", archive_path(profile, name))
        assert reply.status == 200
        return reply.body

    def close(self) -> None:
        self._connection.close()


def at_once(server: LiveServer, count: int, call: Callable[[Caller, int], ReceiveOutcome]) -> list[ReceiveOutcome]:
    """The results of *call* for 0 to *count* - 1, each in its own thread with its own client."""

    def run(number: int) -> ReceiveOutcome:
        with closing(Caller(server)) as caller:
            return call(caller, number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


@contextmanager
def slow_sockets(address: tuple[str, int], count: int) -> Iterator[None]:
    """
    *count* connections to *address* without useful requests, for the duration of the context.

    One fifth each is silent, trickles a head, stalls an upload, trickles an upload, and does not read its responses. A
    connection that the server closes is opened again.
    """
    length = b"Content-Length: 1000000\r\n\r\n"
    put = b"PUT " + archive_path("slow", "slow-%d.tar.gz").encode() + b" HTTP/1.1\r\nHost: localhost\r\n"
    unread = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100
    starts = [b"", b"GET /healthz HTTP/1.1\r\n", put + length + b"\x1f", put + length, unread]
    trickles = [b"", b"X: y\r\n", b"", b"\x1f", b""]
    stopped = threading.Event()

    def open_one(number: int) -> socket.socket:
        connection = socket.create_connection(address, timeout=PATIENCE_SECONDS)
        start = starts[number % len(starts)]
        connection.sendall(start % number if b"%d" in start else start)
        connection.settimeout(0)
        return connection

    def keep_on() -> None:
        while not stopped.wait(0.2):
            for number in range(count):
                try:
                    connections[number].send(trickles[number % len(trickles)])
                    if number % len(trickles) < 4 and not connections[number].recv(1 << 16):
                        raise ConnectionResetError
                except BlockingIOError:
                    continue
                except OSError:
                    connections[number].close()
                    with suppress(OSError):
                        connections[number] = open_one(number)

    def close_all() -> None:
        for connection in connections:
            connection.close()

    with ExitStack() as opened:
        connections = [open_one(number) for number in range(count)]
        opened.callback(close_all)
        thread = threading.Thread(target=keep_on, name="slow")
        thread.start()
        opened.callback(thread.join)
        opened.callback(stopped.set)
        yield


@contextmanager
def slow_readers(address: tuple[str, int], path: str, count: int) -> Iterator[None]:
    """*count* clients that request *path*, read the first 1,000 bytes of the response, and then stop reading."""
    with ExitStack() as opened:
        readers = []
        for _ in range(count):
            connection = opened.enter_context(closing(socket.socket()))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(PATIENCE_SECONDS)
            connection.connect(address)
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            readers.append(connection)
        for connection in readers:
            begin = connection.recv(1000, socket.MSG_WAITALL)
            assert begin.startswith(b"HTTP/1.1 200 "), begin
        yield


def resident_bytes(pid: int) -> int:
    """The resident memory of the process now."""
    return _status(pid, "VmRSS")


def settled_bytes(pid: int) -> int:
    """Its resident memory once it has changed by at most 1 MiB for four seconds; the server frees some every three."""
    deadline = time.monotonic() + 6 * PATIENCE_SECONDS
    before, since = resident_bytes(pid), time.monotonic()
    while time.monotonic() < min(since + 4, deadline):
        time.sleep(0.05)
        if abs(resident_bytes(pid) - before) > 1 << 20:
            before, since = resident_bytes(pid), time.monotonic()
    return before


def falls_below(pid: int, limit_bytes: int) -> bool:
    """Whether its resident memory falls below *limit_bytes* within a minute."""
    deadline = time.monotonic() + 60
    while resident_bytes(pid) >= limit_bytes:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def peak_bytes(pid: int) -> int:
    """The peak resident memory of the process, or since `forget_peak`."""
    return _status(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Reset `peak_bytes`."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status(pid: int, name: str) -> int:
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) << 10
