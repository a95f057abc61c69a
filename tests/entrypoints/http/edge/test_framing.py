"""
Requests that are not good HTTP, byte by byte, against a real server.

Each is answered once, in the form of a problem, and the connection is closed: later bytes on it are never taken
for a request, since that is how requests are smuggled past a proxy.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from tests.entrypoints.http.edge.raw_corpus import ARCHIVE, CODES, FRAMING, GET, GOOD, PUT, SLOW, Case
from tests.support.archives import make_targz
from tests.support.raw_http import PATIENCE_SECONDS, Answer, parse_answers, receive_to_end, request, talk
from tests.support.server import LiveServer, live_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    options = ("--header-seconds", "1", "--body-seconds", "1")
    with live_server(tmp_path_factory.mktemp("framing") / "data", *options) as running:
        yield running


def stored_profiles(server: LiveServer) -> list[str]:
    with server.client() as client:
        return [entry["profile"] for entry in client.get("/api/v1/profiles").json()["profiles"]]


def answers_to(server: LiveServer, sent: bytes, behind: str, *, at_once: bool = True) -> list[Answer]:
    """Every answer to *sent* followed by an upload to the profile *behind*, which asks to close the connection."""
    path = f"/api/v1/profiles/{behind}/archives/FULL/behind.tar.gz"
    upload = request("PUT", path, {"Connection": "close"}, ARCHIVE)
    if at_once:
        return talk(server.host_and_port, sent + upload)
    with socket.create_connection(server.host_and_port, timeout=PATIENCE_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(BrokenPipeError, ConnectionResetError):
            for byte in sent:
                connection.sendall(bytes([byte]))
            connection.sendall(upload)
        return parse_answers(receive_to_end(connection))


def check_answers(server: LiveServer, case: Case, *, at_once: bool) -> None:
    first, behind = f"first-{uuid4()}", f"behind-{uuid4()}"

    answers = answers_to(server, case.sent.replace(b"/framing/", f"/{first}/".encode()), behind, at_once=at_once)

    statuses = [answer.status for answer in answers]
    if case.goes_on:
        assert statuses.pop() == 201
    assert tuple(statuses) in case.answers
    assert answers[-1].closes
    for answer in answers:
        assert answer.status not in CODES or answer.code == CODES[answer.status]
        assert answer.headers["content-type"] == f"application/{'problem+' if answer.status >= 400 else ''}json"
    stored = stored_profiles(server)
    assert (first in stored) is (201 in statuses)
    assert (behind in stored) is case.goes_on


@pytest.mark.parametrize("case", FRAMING, ids=str)
def test_bad_framing_is_refused_and_nothing_behind_it_is_heard(server: LiveServer, case: Case) -> None:
    """
    One refusal and the end of the connection, though a good request follows, and neither of the two has an effect.

    If the end of the request is beyond doubt, the one that follows is answered, once.
    """
    check_answers(server, case, at_once=True)


@pytest.mark.parametrize("case", [case for case in FRAMING if len(case.sent) < 400], ids=str)
def test_bad_framing_is_refused_however_it_is_cut(server: LiveServer, case: Case) -> None:
    """The same if every byte arrives by itself."""
    check_answers(server, case, at_once=False)


def test_the_corpus_has_no_case_twice() -> None:
    """Each case has its own name, and there are at least 44."""
    cases = [*FRAMING, *SLOW]

    assert len(cases) >= 44
    assert len({case.what for case in cases}) == len({case.sent for case in cases}) == len(cases)


@pytest.mark.parametrize("case", SLOW, ids=str)
def test_what_does_not_come_is_timed_out(server: LiveServer, case: Case) -> None:
    """408 and the end of the connection for a client that sends nothing, or not enough, and nothing of it is kept."""
    (answer,) = talk(server.host_and_port, case.sent)

    assert (answer.status, answer.code, answer.closes) == (408, "request-timeout", True)
    assert list((server.data / "staging").iterdir()) == []


def test_a_trickled_head_is_timed_out_too(server: LiveServer) -> None:
    """The time for a head runs from its beginning, however many bytes arrive in between."""
    with socket.create_connection(server.host_and_port, timeout=PATIENCE_SECONDS) as connection:
        connection.settimeout(0.05)
        connection.sendall(GET + b"Host: localhost\r\n")
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
    """A body that arrives byte by byte is answered 408 although it never pauses, and nothing is kept."""
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
    """Line ends between two requests, which the parser skips, begin a head that must arrive in time."""
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


@pytest.mark.parametrize("garbage", [b"garbage\r\n\r\n", GET + b"\r\n", GOOD + b"Host: b\r\n\r\n"])
def test_garbage_behind_a_download_does_not_get_into_it(server: LiveServer, garbage: bytes) -> None:
    """A refusal during another answer is never written into that answer."""
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
    """An answer that has begun is cut at worst; it never contains a byte of another answer."""
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
    """A refused request has no effect."""
    head = PUT.replace(b"framing", b"upgraded") % b"a.tar.gz" + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    content = make_targz()

    (answer,) = talk(server.host_and_port, head + b"Content-Length: %d\r\n\r\n" % len(content) + content)

    assert answer.status == 400
    assert "upgraded" not in stored_profiles(server)


def test_the_server_goes_on(server: LiveServer) -> None:
    """After all that the server works, and its log shows no bug."""
    for case in FRAMING:
        answers_to(server, case.sent, "goes-on")

    with server.client() as client:
        assert client.get("/readyz").status_code == 200
    assert "Traceback" not in server.log.read_text()
