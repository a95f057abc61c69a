"""
Requests that are no good HTTP, byte by byte, against a real server.

Each is answered once, in the form of a problem, and the connection is closed: whatever follows on it is never taken
for a request, for that is how requests are smuggled past a proxy.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.archives import make_targz
from tests.support.raw_http import PATIENCE_SECONDS, parse_answers, receive_to_end, request, talk
from tests.support.server import LiveServer, live_server

PUT = b"PUT /api/v1/profiles/framing/archives/FULL/%s HTTP/1.1\r\nHost: a\r\n"
SMUGGLED = request("PUT", "/api/v1/profiles/smuggled/archives/FULL/smuggled.tar.gz", None, make_targz())
GET = b"GET /healthz HTTP/1.1\r\n"
CHUNKED = PUT % b"chunked.tar.gz" + b"Transfer-Encoding: chunked\r\n\r\n"
BIG_BYTES = 4 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    options = ("--header-seconds", "1", "--body-seconds", "1")
    with live_server(tmp_path_factory.mktemp("framing") / "data", *options) as running:
        yield running


def stored_profiles(server: LiveServer) -> list[str]:
    with server.client() as client:
        return [entry["profile"] for entry in client.get("/api/v1/profiles").json()["profiles"]]


BAD = {
    "length and chunked": PUT % b"a.tar.gz" + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": PUT % b"a.tar.gz" + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": PUT % b"a.tar.gz" + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "two equal lengths": PUT % b"a.tar.gz" + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "lengths in a list": PUT % b"a.tar.gz" + b"Content-Length: 5, 5\r\n\r\nhello",
    "negative length": PUT % b"a.tar.gz" + b"Content-Length: -5\r\n\r\nhello",
    "signed length": PUT % b"a.tar.gz" + b"Content-Length: +5\r\n\r\nhello",
    "hexadecimal length": PUT % b"a.tar.gz" + b"Content-Length: 0x5\r\n\r\nhello",
    "length beyond 64 bits": PUT % b"a.tar.gz" + b"Content-Length: 99999999999999999999999\r\n\r\nhello",
    "empty length": PUT % b"a.tar.gz" + b"Content-Length: \r\n\r\nhello",
    "chunked twice": PUT % b"a.tar.gz" + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": PUT % b"a.tar.gz" + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "unknown coding": PUT % b"a.tar.gz" + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding after a tab": PUT % b"a.tar.gz" + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "space before a colon": PUT % b"a.tar.gz" + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "folded header": GET + b"Host: a\r\nX: b\r\n c\r\n\r\n",
    "chunk size that is no number": CHUNKED + b"xyz\r\nhello\r\n0\r\n\r\n",
    "negative chunk size": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "chunk size beyond 64 bits": CHUNKED + b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "chunk longer than its size": CHUNKED + b"2\r\nhello\r\n0\r\n\r\n",
    "chunk size after a line feed": CHUNKED + b"5\nhello\r\n0\r\n\r\n",
    "chunk size in 0x": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "no Host": GET + b"\r\n",
    "two Hosts": GET + b"Host: a\r\nHost: b\r\n\r\n",
    "two equal Hosts": GET + b"Host: a\r\nHost: a\r\n\r\n",
    "bare line feeds": b"GET /healthz HTTP/1.1\nHost: a\n\n",
    "bare carriage returns": b"GET /healthz HTTP/1.1\rHost: a\r\r",
    "NUL in a header": GET + b"Host: a\r\nX: a\0b\r\n\r\n",
    "header without a colon": GET + b"Host: a\r\nnonsense\r\n\r\n",
    "header without a name": GET + b"Host: a\r\n: x\r\n\r\n",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /healthz\r\n",
    "HTTP/3.7": b"GET /healthz HTTP/3.7\r\nHost: a\r\n\r\n",
    "method in lower case": b"get /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "unknown method": b"FROBNICATE /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "space in a target": b"GET /list/FULL /x HTTP/1.1\r\nHost: a\r\n\r\n",
    "raw bytes in a target": b"GET /list/\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    "relative target": b"GET healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "websocket": GET + b"Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "h2c": GET + b"Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
    "CONNECT": b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
}


@pytest.mark.parametrize("what", BAD)
def test_bad_framing_is_refused_and_nothing_after_it_is_heard(server: LiveServer, what: str) -> None:
    """One 400 and the end of the connection, though a good request follows."""
    answers = talk(server.host_and_port, BAD[what] + SMUGGLED)

    assert [(answer.status, answer.code) for answer in answers] == [(400, "bad-request-framing")]
    assert answers[0].headers["content-type"] == "application/problem+json"
    assert answers[0].closes
    assert not {"framing", "smuggled"} & set(stored_profiles(server))


@pytest.mark.parametrize(
    "head",
    [
        GET + b"Host: a\r\nX: " + b"y" * 40_000 + b"\r\n\r\n",
        GET + b"Host: a\r\nX: " + b"y" * 40_000,
        GET + b"Host: a\r\n" + b"y" * 40_000,
        GET + b"Host: a\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        GET + b"Host: a\r\n" + b"X: y\r\n" * 200,
        b"GET /" + b"y" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /" + b"y" * 40_000,
        GET + b"Host: a\r\nX: " + b"y" * BIG_BYTES,
    ],
    ids=["value", "endless value", "endless name", "many", "endless many", "target", "endless target", "4 MiB"],
)
def test_too_large_a_head_is_refused(server: LiveServer, head: bytes) -> None:
    """431 once and the end of the connection, also where the head never ends."""
    answers = talk(server.host_and_port, head)

    assert [(answer.status, answer.code) for answer in answers] == [(431, "headers-too-large")]
    assert answers[0].closes


@pytest.mark.parametrize("head", [b"", b"G", GET, GET + b"Host: a\r\nX: y", b"\r\n"])
def test_a_head_that_does_not_come_is_timed_out(server: LiveServer, head: bytes) -> None:
    """408 and the end of the connection for one that says nothing, or not enough."""
    (answer,) = talk(server.host_and_port, head)

    assert (answer.status, answer.code, answer.closes) == (408, "request-timeout", True)


def test_a_trickled_head_is_timed_out_too(server: LiveServer) -> None:
    """The time for a head runs from its beginning, however many bytes come in between."""
    with socket.create_connection(server.host_and_port, timeout=PATIENCE_SECONDS) as connection:
        connection.settimeout(0.05)
        connection.sendall(GET + b"Host: a\r\n")
        received = b""
        for _ in range(200):
            try:
                connection.sendall(b"X: y\r\n")
                received = connection.recv(1 << 16)
                break
            except TimeoutError:
                continue
        connection.settimeout(PATIENCE_SECONDS)
        answers = parse_answers(received + receive_to_end(connection))

    assert [answer.status for answer in answers] == [408]


def test_a_trickled_body_is_timed_out(tmp_path: Path) -> None:
    """A body of which a byte comes now and then is answered 408 although it never pauses, and nothing is kept."""
    options = ("--min-body-rate", "1M", "--body-rate-seconds", "0.2")
    with live_server(tmp_path / "data", *options) as strict:
        with socket.create_connection(strict.host_and_port, timeout=PATIENCE_SECONDS) as connection:
            connection.settimeout(0.05)
            connection.sendall(PUT % b"trickled.tar.gz" + b"Content-Length: 1000\r\n\r\n")
            received = b""
            for byte in make_targz()[:100]:
                try:
                    connection.sendall(bytes([byte]))
                    received = connection.recv(1 << 16)
                    break
                except TimeoutError:
                    continue
            connection.settimeout(PATIENCE_SECONDS)
            (answer,) = parse_answers(received + receive_to_end(connection))

        assert (answer.status, answer.code, answer.closes) == (408, "request-timeout", True)
        assert "min_body_rate" in str(answer.problem["detail"])
        assert stored_profiles(strict) == []
        assert list((strict.data / "staging").iterdir()) == []


@pytest.mark.parametrize("whitespace", [b"\r\n", b"\n", b"\r\n" * 3])
def test_empty_lines_keep_no_connection_open(server: LiveServer, whitespace: bytes) -> None:
    """Line ends between two requests, which the parser skips, are the beginning of a head that must come in time."""
    with socket.create_connection(server.host_and_port, timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(request("GET", "/healthz"))
        received = b""
        while not received.endswith(b"}\n"):
            received += connection.recv(1 << 16)
        connection.sendall(whitespace)
        answers = parse_answers(received + receive_to_end(connection))

    assert [answer.status for answer in answers] == [200, 408]


def test_http_1_0_is_answered_and_closed(server: LiveServer) -> None:
    """A client of HTTP/1.0 needs no Host, and gets its connection closed."""
    (answer,) = talk(server.host_and_port, b"GET /healthz HTTP/1.0\r\n\r\n")

    assert (answer.status, answer.problem, answer.closes) == (200, {"status": "alive"}, True)


def test_pipelined_requests_are_answered_in_order(server: LiveServer) -> None:
    """Several good requests at once are answered one after the other, and each once."""
    paths = ["/healthz", "/nowhere", "/list", "/api/v1/profiles/nobody", "/healthz"]
    stream = b"".join(request("GET", path) for path in paths[:-1])
    stream += request("GET", paths[-1], {"Connection": "close"})

    answers = talk(server.host_and_port, stream)

    assert [answer.status for answer in answers] == [200, 404, 200, 404, 200]


@pytest.mark.parametrize("garbage", [b"garbage\r\n\r\n", GET + b"\r\n", GET + b"Host: a\r\nHost: b\r\n\r\n"])
def test_garbage_behind_a_download_does_not_get_into_it(server: LiveServer, garbage: bytes) -> None:
    """What is refused while another answer is on its way never writes into that answer."""
    path = "/api/v1/profiles/pipelined/archives/FULL/big.tar.gz"
    content = make_targz({"noise": bytes(1 << 20)})
    with server.client() as client:
        client.put(path, content=content)
    good = request("GET", path)

    with socket.create_connection(server.host_and_port, timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(good + good + garbage)
        answers = parse_answers(receive_to_end(connection))

    assert len(answers) <= 3
    assert all(answer.body == content for answer in answers if answer.status == 200)
    assert all(answer.status == 400 for answer in answers[2:])


def test_garbage_in_the_middle_of_a_download_does_not_get_into_it(server: LiveServer) -> None:
    """An answer that has begun is cut at worst; no byte of another answer stands in it."""
    path = "/api/v1/profiles/pipelined/archives/FULL/large.tar.gz"
    content = make_targz({"noise": os.urandom(24 << 20)})
    with server.client() as client:
        client.put(path, content=content)

    with socket.create_connection(server.host_and_port, timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(request("GET", path))
        received = connection.recv(1 << 16)  # the answer has begun, and is too large to be on its way as a whole
        connection.sendall(request("GET", "/healthz") + b"garbage\r\n\r\n")
        received += receive_to_end(connection)

    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert content.startswith(body[: len(content)])


def test_an_upload_refused_for_its_upgrade_is_not_stored(server: LiveServer) -> None:
    """What was answered with a refusal has no effect."""
    head = PUT % b"upgraded.tar.gz" + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    content = make_targz()

    (answer,) = talk(server.host_and_port, head + b"Content-Length: %d\r\n\r\n" % len(content) + content)

    assert answer.status == 400
    assert "framing" not in stored_profiles(server)


def test_the_server_goes_on(server: LiveServer) -> None:
    """After all that the server is well, and no bug stands in its log."""
    for payload in BAD.values():
        talk(server.host_and_port, payload)

    with server.client() as client:
        assert client.get("/readyz").status_code == 200
    assert "Traceback" not in server.log.read_text()
