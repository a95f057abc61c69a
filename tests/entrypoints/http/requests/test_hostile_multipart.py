"""
Forms that are malformed in every way that a generator can produce, against one real server.

The server checks no archive here (``--validate off``), so that the bytes that the form's parser takes for the file are
stored and can be compared with the result of a second, simple parser.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.archives import make_targz
from tests.support.forms import BOUNDARY, field_part, file_part, form, form_headers
from tests.support.mutations import mutated
from tests.support.raw_http import Answer, RawConnection, parse_answers, receive_to_end, request
from tests.support.server import LiveServer, live_server

COUNT = 10_000 if os.environ.get("LOAD") == "full" else 2_000
DELIMITER = b"\r\n--" + BOUNDARY.encode()
GROWTH_KIB = 12 * 1024
CODES = {
    *("multipart-malformed", "multipart-incomplete", "multipart-parts", "invalid-encoding", "invalid-name"),
    *("invalid-type", "digest-invalid", "digest-mismatch", "empty-archive", "name-conflict", "too-large"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    options = ("--validate", "off", "--catalog", "memory:", "--max-upload-bytes", "1M", "--body-seconds", "1")
    with live_server(tmp_path_factory.mktemp("multipart") / "data", *options) as running:
        yield running


def valid_form(number: int, chance: random.Random) -> bytes:
    """A good form with an archive of its own, its fields in any order."""
    content = make_targz({"n.txt": b"%d" % number})
    parts = [file_part(content, f"archive-{number}.tar.gz"), field_part("profile", "fuzz")]
    if chance.random() < 0.5:
        parts.append(field_part("type", chance.choice(["FULL", "inc", "Diff"])))
    if chance.random() < 0.2:
        parts.append(field_part("sha256", hashlib.sha256(content).hexdigest()))
    chance.shuffle(parts)
    return form(*parts)


def candidates(body: bytes) -> set[str]:
    """The SHA-256 of each part of *body* between a blank line and the first boundary after it."""
    starts = [match.end() for match in re.finditer(rb"\r\n\r\n", body)]
    ends = [(start, body.find(DELIMITER, start)) for start in starts]
    return {hashlib.sha256(body[start:end]).hexdigest() for start, end in ends if end >= 0}


def resident_kib(server: LiveServer) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def post(connection: RawConnection, body: bytes) -> Answer:
    return connection.exchange(request("POST", "/upload", {**form_headers(), "Content-Length": str(len(body))}, body))


def check(body: bytes, answer: Answer, stored: dict[str, str]) -> None:
    """*answer* refuses *body*, or has stored what a simple parser finds in it; add that to *stored*."""
    if answer.status == 201:
        members = answer.problem
        assert members["sha256"] in candidates(body), body
        stored[f"{members['profile']}/{members['type']}/{members['file']}"] = str(members["sha256"])
        return
    assert answer.headers["content-type"] == "application/problem+json", (body, answer)
    assert answer.code in CODES, (body, answer)
    assert answer.status < 500, (body, answer)


def on_disk(server: LiveServer) -> dict[str, str]:
    archives = server.data / "archives"
    files = [path for path in archives.rglob("*.tar.gz") if path.is_file()]
    return {str(path.relative_to(archives)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_no_broken_form_does_harm(server: LiveServer) -> None:
    """
    Thousands of damaged forms: none causes a fault of the server, none is stored as anything but its content.

    Nothing is left in staging, and the server needs no more memory after the second half than after the first.
    """
    chance = random.Random(20251121)
    stored: dict[str, str] = {}
    halfway_kib = 0
    with RawConnection(server.host_and_port) as connection:
        for number in range(COUNT):
            body = mutated(valid_form(number, chance), chance)
            check(body, post(connection, body), stored)
            if number == COUNT // 2:
                halfway_kib = resident_kib(server)

    assert resident_kib(server) - halfway_kib < GROWTH_KIB
    assert on_disk(server) == stored
    assert len(stored) > COUNT // 50
    assert list((server.data / "staging").iterdir()) == []
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    ("what", "body", "code"),
    [
        ("thousands of parts", form(*[field_part("x", "y")] * 5000, file_part(b"x")), "multipart-parts"),
        ("a huge field", form(field_part("x", "y" * 900_000), file_part(b"x")), "multipart-parts"),
        ("a huge filename", form(file_part(b"x", "y" * 900_000 + ".tar.gz")), "multipart-parts"),
        ("thousands of part headers", form(b"X: y\r\n" * 9000 + field_part("x", "y")), "multipart-parts"),
        ("a header folded for ever", form(b"X: y\r\n" + b" y\r\n" * 90_000 + field_part("x", "y")), "multipart-parts"),
        ("a header without end", b"--" + BOUNDARY.encode() + b"\r\n" + b"y" * 900_000, "multipart-parts"),
        ("a preamble without end", b"y" * 900_000, "multipart-incomplete"),
        ("carriage returns without end", b"--" + BOUNDARY.encode() + b"\r" * 900_000, "multipart-malformed"),
        ("nearly boundaries", form(file_part(DELIMITER[:-1] * 20_000, "x.zip")), "invalid-name"),
        ("a nested form", form(field_part("x", form(file_part(b"x"), boundary="inner"))), "multipart-parts"),
        ("nothing but the end", form(), "multipart-parts"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_bombs_are_refused(server: LiveServer, what: str, body: bytes, code: str) -> None:
    """A form with too many, too long or endless parts is refused with that reason, and leaves nothing."""
    with RawConnection(server.host_and_port) as connection:
        answer = post(connection, body)

    assert (answer.status, answer.code) == (400, code)
    assert list((server.data / "staging").iterdir()) == []


def test_a_file_full_of_nearly_boundaries_is_stored_as_it_is(server: LiveServer) -> None:
    """Bytes that resemble a boundary belong to the file, wherever blocks are cut."""
    content = b"".join(DELIMITER[:length] + bytes([length]) for length in range(len(DELIMITER))) * 300
    with RawConnection(server.host_and_port) as connection:
        answer = post(connection, form(file_part(content, "nearly.tar.gz"), field_part("profile", "nearly")))

    assert answer.status == 201
    assert answer.problem["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("missing", [1, 10, 1000])
def test_a_body_shorter_than_announced_is_never_stored(server: LiveServer, missing: int) -> None:
    """A whole form with too large a Content-Length is an interrupted upload: 408, and nothing is kept."""
    body = form(file_part(make_targz({"n": b"%d" % missing}), "short.tar.gz"), field_part("profile", "short"))
    with RawConnection(server.host_and_port) as connection:
        announced = {**form_headers(), "Content-Length": str(len(body) + missing)}
        answer = connection.exchange(request("POST", "/upload", announced, body))

    assert (answer.status, answer.code, answer.closes) == (408, "request-timeout", True)
    assert not [path for path in on_disk(server) if path.startswith("short/")]


@pytest.mark.parametrize("extra", [20, 60])
def test_a_body_longer_than_announced_is_never_a_second_upload(server: LiveServer, extra: int) -> None:
    """Bytes beyond Content-Length are another, invalid request: both are refused, nothing is kept."""
    body = form(file_part(make_targz({"n": b"%d" % extra}), "long.tar.gz"), field_part("profile", "long"))
    announced = {**form_headers(), "Content-Length": str(len(body) - extra)}
    with socket.create_connection(server.host_and_port, timeout=20) as connection:
        connection.sendall(request("POST", "/upload", announced, body))
        connection.shutdown(socket.SHUT_WR)
        answers = parse_answers(receive_to_end(connection))

    assert all(answer.status >= 400 for answer in answers)
    assert not [path for path in on_disk(server) if path.startswith("long/")]
