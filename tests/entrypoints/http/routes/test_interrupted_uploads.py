"""
Uploads that end badly, and concurrent uploads: cut by the sender, by SIGKILL of the server, refused while still
sending, racing for one name. Acknowledged archives are there, whole; the others leave no trace.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tests.support.archives import digests_of, make_targz
from tests.support.forms import field_part, file_part, form, form_headers
from tests.support.raw_http import PATIENCE_SECONDS, parse_answers, receive_to_end, request
from tests.support.server import LiveServer, live_server

SMALL = make_targz()
LARGE_BYTES = 50 << 20
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    options = ("--max-upload-bytes", "20M")
    with live_server(tmp_path_factory.mktemp("interrupted") / "data", *options) as running:
        yield running


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that checks no archive, so that a cut one is not refused for its content alone."""
    with live_server(tmp_path_factory.mktemp("trusting") / "data", "--validate", "off") as running:
        yield running


def whole_request(way: str, profile: str, content: bytes = SMALL, name: str = "cut.tar.gz") -> bytes:
    if way == "form":
        body = form(field_part("profile", profile), file_part(content, name), field_part("type", "FULL"))
        return request("POST", "/upload", form_headers(), body)
    path = f"/api/v1/profiles/{profile}/archives/FULL/{name}"
    if way == "put":
        return request("PUT", path, None, content)
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(content[n : n + 40]), content[n : n + 40]) for n in range(0, len(content), 40)
    )
    return request("PUT", path, {"Transfer-Encoding": "chunked"}) + chunks + b"0\r\n\r\n"


def staging(data: Path) -> list[Path]:
    return list((data / "staging").iterdir())


def names_of(server: LiveServer, profile: str) -> list[str]:
    with server.client() as client:
        archives = client.get("/api/v1/archives", params={"profile": profile, "limit": 1000}).json()["archives"]
        rows = [
            each["archives"] for each in client.get("/api/v1/profiles").json()["profiles"] if each["profile"] == profile
        ]
    assert rows == ([len(archives)] if archives else [])
    return [archive["name"] for archive in archives]


def settled(server: LiveServer) -> None:
    """
    Wait until the server has dealt with every connection closed before: staging is empty.

    Each turn is a whole request, which gives the server time to finish earlier ones. On a busy disk many of them pass
    before one file is gone.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    with server.client() as client:
        while time.monotonic() < until:
            if not staging(server.data):
                return
            client.get("/readyz").raise_for_status()
    raise AssertionError(f"left in staging: {sorted(path.name for path in staging(server.data))}")


@pytest.mark.parametrize("goodbye", ["close", "reset", "half-close"])
@pytest.mark.parametrize("way", ["form", "put", "chunked"])
def test_an_upload_cut_anywhere_leaves_nothing(trusting: LiveServer, way: str, goodbye: str) -> None:
    """Cut at every few bytes of its body, by each way to disconnect: no archive, no row, no staging; then it works."""
    profile = f"cut-{way}-{goodbye}"
    payload = whole_request(way, profile)
    body_starts = payload.index(b"\r\n\r\n") + 4
    for cut in sorted({*range(body_starts, len(payload), 7), *range(len(payload) - 12, len(payload))}):
        with socket.create_connection(trusting.host_and_port, timeout=PATIENCE_SECONDS) as connection:
            connection.sendall(payload[:cut])
            if goodbye == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            elif goodbye == "half-close":
                connection.shutdown(socket.SHUT_WR)
                answers = parse_answers(receive_to_end(connection))
                assert all(answer.status >= 400 for answer in answers)

    settled(trusting)
    assert names_of(trusting, profile) == []
    with socket.create_connection(trusting.host_and_port, timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(payload)
        assert connection.recv(64).startswith(b"HTTP/1.1 201")
    assert names_of(trusting, profile) == ["cut.tar.gz"]


@pytest.mark.parametrize("way", ["form", "put", "chunked"])
def test_a_large_upload_cut_late_leaves_nothing(trusting: LiveServer, way: str) -> None:
    """An upload that broke off after blocks of it were written is not taken for a shorter archive."""
    profile = f"late-{way}"
    payload = whole_request(way, profile, make_targz({"noise": os.urandom(3 << 20)}))
    with socket.create_connection(trusting.host_and_port, timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(payload[:-1000])
        connection.shutdown(socket.SHUT_WR)
        receive_to_end(connection)

    settled(trusting)
    assert names_of(trusting, profile) == []


def begin_upload(server: LiveServer, name: str, content: bytes) -> socket.socket:
    """Send half of an upload that the server has begun to receive, and hold its connection."""
    connection = socket.create_connection(server.host_and_port, timeout=PATIENCE_SECONDS)
    head = {"Content-Length": str(len(content)), "Expect": "100-continue"}
    connection.sendall(request("PUT", f"/api/v1/profiles/crash/archives/FULL/{name}", head))
    assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
    connection.sendall(content[: len(content) // 2])
    return connection


def test_a_killed_server_keeps_what_it_acknowledged_and_nothing_else(tmp_path: Path) -> None:
    """SIGKILL right after a 201 and in the middle of other uploads; the next start has the one and not the others."""
    noise = make_targz({"noise": os.urandom(6 << 20)})
    kept: dict[str, bytes] = {}
    for round in range(3):
        with live_server(tmp_path / "data") as server, server.client() as client:
            assert sorted(names_of(server, "crash")) == sorted(kept)
            for name, content in kept.items():
                assert client.get(f"/api/v1/profiles/crash/archives/FULL/{name}").content == content
            assert staging(server.data) == []
            halves = [begin_upload(server, f"half-{round}-{number}.tar.gz", noise) for number in range(2)]
            content = make_targz({"round": b"%d" % round})
            answer = client.put(f"/api/v1/profiles/crash/archives/FULL/whole-{round}.tar.gz", content=content)
            server.kill()
            for half in halves:
                half.close()
            assert answer.status_code == 201
            kept[f"whole-{round}.tar.gz"] = content
            assert staging(server.data)

    with live_server(tmp_path / "data") as server, server.client() as client:
        stored = {path.name for path in (server.data / "archives").rglob("*.tar.gz")}
        again = client.put("/api/v1/profiles/crash/archives/FULL/half-0-0.tar.gz", content=noise)

        assert stored == set(kept)
        assert sorted(names_of(server, "crash")) == sorted([*kept, "half-0-0.tar.gz"])
        assert again.status_code == 201
        assert staging(server.data) == []


@pytest.mark.parametrize("way", ["form", "put"])
@pytest.mark.parametrize("same", [False, True])
def test_uploads_racing_for_a_name_have_one_winner(server: LiveServer, way: str, same: bool) -> None:
    """Eight at once with other bytes: one is stored, seven conflict. With the same bytes: all succeed."""
    profile = f"race-{way}-{same}"
    contents = [make_targz({"n": b"%d" % (0 if same else number)}) for number in range(8)]
    start = Barrier(len(contents))

    def upload(content: bytes) -> tuple[int, str]:
        with socket.create_connection(server.host_and_port, timeout=PATIENCE_SECONDS) as connection:
            payload = whole_request(way, profile, content)
            connection.sendall(payload[:-30])
            start.wait()
            connection.sendall(payload[-30:])
            return _one_answer(connection)

    with ThreadPoolExecutor(len(contents)) as threads:
        outcomes = list(threads.map(upload, contents))

    statuses = sorted(status for status, _ in outcomes)
    fresh = [digest for status, digest in outcomes if status == 201]
    if same and way == "form":
        assert statuses == [201] * 8
    elif same:
        assert statuses == [200] * 7 + [201]
    else:
        assert statuses == [201] + [409] * 7
        (stored,) = (server.data / "archives" / profile / "FULL").glob("*.tar.gz")
        assert fresh == [digests_of(stored.read_bytes()).sha256]
    assert names_of(server, profile) == ["cut.tar.gz"]
    assert staging(server.data) == []


def _one_answer(connection: socket.socket) -> tuple[int, str]:
    received = b""
    while b"\r\n\r\n" not in received or not received.endswith(b"}\n"):
        chunk = connection.recv(1 << 16)
        assert chunk
        received += chunk
    (answer,) = parse_answers(received)
    return answer.status, str(answer.problem.get("sha256", ""))


def test_a_data_directory_has_one_server(server: LiveServer) -> None:
    """A second server on the same directory ends with exit code 1 and names the owner; the first goes on."""
    command = [sys.executable, "-m", "tarkeep", "serve", "--port", "0", "--data", str(server.data)]

    second = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=server.data.parent, check=False)

    assert second.returncode == 1
    assert f"the data directory is in use by process {server.process.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    with server.client() as client:
        assert client.get("/readyz").status_code == 200


def test_a_client_that_asks_first_is_refused_before_it_sends(server: LiveServer) -> None:
    """Expect: 100-continue with too large a Content-Length: 413 at once, and no 100 before it."""
    head = {"Content-Length": str(1 << 40), "Expect": "100-continue"}
    with socket.create_connection(server.host_and_port, timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(request("PUT", "/api/v1/profiles/a/archives/FULL/huge.tar.gz", head))
        answers = parse_answers(receive_to_end(connection))

    assert [(answer.status, answer.code, answer.closes) for answer in answers] == [(413, "too-large", True)]


def test_an_upload_refused_midway_is_answered_without_the_rest(server: LiveServer) -> None:
    """A body that is not gzip is refused after its beginning, though the client has sent nothing more and waits."""
    head = request("PUT", "/api/v1/profiles/a/archives/FULL/text.tar.gz", {"Content-Length": str(10 << 20)})
    with socket.create_connection(server.host_and_port, timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(head + b"x" * (6 << 20))
        status, _ = _one_answer(connection)

    assert status == 422


@pytest.mark.parametrize("way", ["put", "chunked", "form"])
@pytest.mark.parametrize(("start", "code"), [(b"no gzip at all", "not-a-gzip"), (None, "too-large")])
def test_curl_gets_to_read_a_refusal_while_it_is_sending(
    server: LiveServer, tmp_path: Path, way: str, start: bytes | None, code: str
) -> None:
    """curl sends 50 MB and gets 422 or 413 in the middle: it ends well, and prints the whole answer."""
    file = tmp_path / "large.tar.gz"
    with file.open("wb") as stream:
        stream.write(start or make_targz({"noise": os.urandom(21 << 20)}))
        stream.truncate(LARGE_BYTES)
    target = f"{server.url}/api/v1/profiles/curl/archives/FULL/large.tar.gz"
    sending = {
        "put": ["-T", str(file), "-H", "Expect:", target],
        "chunked": ["-T", "-", "-H", "Expect:", target],
        "form": ["-F", f"file=@{file}", "-H", "Expect:", f"{server.url}/upload"],
    }[way]

    with file.open("rb") as stream:
        curl = subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "--max-time", "30", "-w", "%{http_code}", *sending],
            stdin=stream,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert (curl.returncode, curl.stderr) == (0, "")
    # announced as too large, it is refused before its content is inspected
    expected = "too-large" if way in ("put", "form") else code
    assert f'"code":"{expected}"' in curl.stdout
    assert curl.stdout.endswith("413" if expected == "too-large" else "422")
    assert names_of(server, "curl") == []
    settled(server)


def test_more_uploads_than_are_received_at_once_wait_for_their_turn(tmp_path: Path) -> None:
    """The nightly jobs of all machines start at the same minute: none of them is refused."""
    contents = [make_targz({"file": os.urandom(1 << 20)}) for _ in range(4)]

    with live_server(tmp_path / "data", "--max-uploads", "2") as server:

        def put(number: int) -> int:
            with server.client() as client:
                path = f"/api/v1/profiles/night/archives/FULL/{number}.tar.gz"
                return client.put(path, content=contents[number % 4]).status_code

        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(put, range(24)))

        assert answers == [201] * 24
        assert len(names_of(server, "night")) == 24
