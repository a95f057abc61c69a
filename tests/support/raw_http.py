"""
HTTP byte by byte: requests that no client library would send, and responses read without one.

`RawConnection` keeps a connection open as long as the server does; `talk` sends bytes once and reads everything until
the server closes.
"""

from __future__ import annotations

import contextlib
import json
import socket
from types import TracebackType

from attrs import field, frozen

PATIENCE_SECONDS = 20.0


@frozen
class Answer:
    """A response: status, headers (names in lower case, the last of equal ones) and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, object]:
        """The members of a problem+json answer."""
        members = json.loads(self.body)
        assert isinstance(members, dict)
        return members

    @property
    def code(self) -> object:
        return self.problem["code"]

    @property
    def closes(self) -> bool:
        return self.headers.get("connection", "").lower() == "close"


def request(method: str, target: str | bytes, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    """A request as bytes, with Host, and Content-Length if it has a body; *target* is sent as it is."""
    raw = target if isinstance(target, bytes) else target.encode()
    lines = [method.encode() + b" " + raw + b" HTTP/1.1"]
    given = {"Host": "localhost", **({"Content-Length": str(len(body))} if body else {}), **(headers or {})}
    lines += [f"{name}: {value}".encode("latin-1") for name, value in given.items()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def parse_answers(stream: bytes) -> list[Answer]:
    """Every whole response in *stream*; asserts that nothing is left over."""
    answers = []
    while stream:
        head, blank, stream = stream.partition(b"\r\n\r\n")
        assert blank, f"a response without the end of its head: {head[:200]!r}"
        status, headers = _parse_head(head)
        if headers.get("transfer-encoding") == "chunked":
            body, stream = _unchunked(stream)
            answers.append(Answer(status, headers, body))
            continue
        length = 0 if status in (204, 304) or 100 <= status < 200 else int(headers.get("content-length", "0"))
        body, stream = stream[:length], stream[length:]
        assert len(body) == length, f"a response cut short: {head[:200]!r}"
        answers.append(Answer(status, headers, body))
    return answers


def _unchunked(stream: bytes) -> tuple[bytes, bytes]:
    """The body at the beginning of *stream*, sent in chunks, and the bytes after it."""
    body = b""
    while True:
        size, end, stream = stream.partition(b"\r\n")
        assert end, "a chunk without the end of its size"
        length = int(size, 16)
        chunk, stream = stream[:length], stream[length:]
        assert len(chunk) == length, "a chunk cut short"
        assert stream.startswith(b"\r\n"), "a chunk that is longer than it says"
        stream = stream[2:]
        body += chunk
        if not length:
            return body, stream


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status, *_ = first.split(" ", 2)
    assert version.startswith("HTTP/1."), f"not a response: {first[:200]!r}"
    return int(status), {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def receive_to_end(connection: socket.socket) -> bytes:
    """All bytes until the server closes or resets the connection."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(1 << 16):
            received += chunk
    return received


def talk(address: tuple[str, int], payload: bytes, *, patience: float = PATIENCE_SECONDS) -> list[Answer]:
    """
    Send *payload* on a new connection, wait for the server to close it, and return its responses.

    Raises:
        TimeoutError: the server does not close it.
    """
    with socket.create_connection(address, timeout=patience) as connection:
        # the server may answer and close before it has read everything
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(payload)
        return parse_answers(receive_to_end(connection))


@frozen
class RawConnection:
    """A connection to *address* that is opened again whenever the server has closed it."""

    address: tuple[str, int]
    _open: list[socket.socket] = field(factory=list, init=False)

    def exchange(self, payload: bytes) -> Answer:
        """Send *payload*, which must be one whole request, and read its answer."""
        for attempt in (1, 2):
            connection = self._connected()
            try:
                connection.sendall(payload)
                answer = self._read(connection)
            except (BrokenPipeError, ConnectionResetError):
                self.close()
                if attempt == 2:
                    raise
                continue
            if answer is None:
                self.close()
                continue
            if answer.closes:
                self.close()
            return answer
        raise AssertionError("the server closed the connection twice without an answer")

    def _connected(self) -> socket.socket:
        if not self._open:
            connection = socket.create_connection(self.address, timeout=PATIENCE_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(connection)
        return self._open[0]

    @staticmethod
    def _read(connection: socket.socket) -> Answer | None:
        received = b""
        while b"\r\n\r\n" not in received:
            chunk = connection.recv(1 << 16)
            if not chunk:
                assert not received, f"closed within the head of an answer: {received[:200]!r}"
                return None
            received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        status, headers = _parse_head(head)
        length = 0 if status in (204, 304) else int(headers["content-length"])
        while len(body) < length:
            chunk = connection.recv(1 << 16)
            assert chunk, "closed within the body of an answer"
            body += chunk
        assert len(body) == length, f"more than one answer to one request: {body[length:][:200]!r}"
        return Answer(status, headers, body)

    def close(self) -> None:
        while self._open:
            self._open.pop().close()

    def __enter__(self) -> RawConnection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
