"""
Heavy load: acknowledged archives are kept, refusals are polite, and clients that only hold a connection keep no other
client waiting.

In the default run the archives are small and the crowds just large enough; ``LOAD=full`` makes them as large as a
server must withstand at worst.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Barrier

import pytest

from tests.support.archives import make_targz
from tests.support.crowd import WAYS, Caller, Reply, at_once, noise, peak_bytes, slow_sockets
from tests.support.server import LiveServer, live_server

FULL = os.environ.get("LOAD") == "full"
SCALE = 5 if FULL else 1
UPLOADS = 200
SLOW = 500 if FULL else 200
NORMAL = 2000 if FULL else 200
NAMES = 20
RACERS = 50
MIB = 1 << 20
PATIENCE_SECONDS = 60.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with live_server(tmp_path / "data") as running:
        yield running


def staged(server: LiveServer) -> list[Path]:
    """
    The files in staging, except for the journals that ended uploads leave for a while to answer repeated requests.
    """
    return [path for path in (server.data / "staging").iterdir() if path.suffix != ".upload"]


def size_of(number: int) -> int:
    """0.2 to 4 MB, or 1 to 20 MB, most of them small."""
    share = (number * 7919 % UPLOADS / UPLOADS) ** 2
    return int((200_000 + share * 3_800_000) * SCALE)


def test_two_hundred_uploads_at_once(server: LiveServer) -> None:
    """Forms, PUTs and tus together: each is stored as sent, or told when to retry; memory is bounded."""
    start = Barrier(UPLOADS)

    def send(caller: Caller, number: int) -> tuple[Reply, str]:
        content = noise(size_of(number), number)
        start.wait(PATIENCE_SECONDS)
        reply = caller.upload(WAYS[number % 3], "crowd", f"archive-{number}.tar.gz", content)
        return reply, hashlib.sha256(content).hexdigest()

    outcomes = at_once(server, UPLOADS, send)

    peak = peak_bytes(server.process.pid)
    kept = {number: digest for number, (reply, digest) in enumerate(outcomes) if reply.is_success}
    refused = [reply for reply, _ in outcomes if not reply.is_success]
    assert all(reply.status == 503 and "retry-after" in reply.headers for reply in refused)
    assert len(kept) >= UPLOADS // 2
    caller = Caller(server)
    for number, digest in kept.items():
        assert hashlib.sha256(caller.download("crowd", f"archive-{number}.tar.gz")).hexdigest() == digest
    caller.close()
    assert peak < 256 * MIB + UPLOADS * MIB, f"{peak / MIB:.0f} MiB"
    assert refused or not staged(server)
    assert "Traceback" not in server.log.read_text()


def test_racers_for_a_name_have_one_winner(server: LiveServer) -> None:
    """
    Fifty at once for each of twenty names, some with the same bytes: the bytes of one are stored.

    Clients that sent those bytes succeed; all others are told of the conflict, or when to retry.
    """
    start = Barrier(RACERS)

    def content_of(racer: int, name: int) -> bytes:
        """Every fifth racer sends the same bytes as the others of its kind."""
        return make_targz({"racer": b"%d" % (racer if racer % 5 else 0), "name": b"%d" % name})

    def race(caller: Caller, racer: int) -> list[Reply]:
        replies = []
        for name in range(NAMES):
            content = content_of(racer, name)
            start.wait(PATIENCE_SECONDS)
            replies.append(caller.upload(WAYS[racer % 3], "race", f"archive-{name}.tar.gz", content))
        return replies

    outcomes = at_once(server, RACERS, race)

    caller = Caller(server)
    for name in range(NAMES):
        stored = caller.download("race", f"archive-{name}.tar.gz")
        for racer in range(RACERS):
            reply = outcomes[racer][name]
            if reply.is_success:
                assert content_of(racer, name) == stored
            else:
                assert (reply.status, reply.code) == (409, "name-conflict")
                assert content_of(racer, name) != stored or "retry-after" in reply.headers
    caller.close()
    won = Counter(name for replies in outcomes for name, reply in enumerate(replies) if reply.is_success)
    assert sorted(won) == list(range(NAMES))
    assert staged(server) == []
    assert "Traceback" not in server.log.read_text()


def test_slow_sockets_keep_no_other_client_waiting(tmp_path: Path) -> None:
    """Uploads and queries all succeed while hundreds of connections stall, trickle, or do not read."""
    content = make_targz()
    with (
        live_server(tmp_path / "data", "--upload-wait-seconds", "10") as server,
        slow_sockets(server.host_and_port, SLOW),
    ):
        caller = Caller(server)
        statuses: Counter[int] = Counter()
        for number in range(NORMAL // 4):
            for path in ("/healthz", "/stats", "/api/v1/archives"):
                statuses[caller.ask("GET", path).status] += 1
            statuses[caller.upload("put", "normal", f"archive-{number}.tar.gz", content).status] += 1
        caller.close()

        assert statuses == {200: NORMAL // 4 * 3, 201: NORMAL // 4}
        with server.client() as client:
            profiles = client.get("/api/v1/profiles").json()["profiles"]
        assert [entry["profile"] for entry in profiles] == ["normal"]


def test_a_stop_lets_uploads_end_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    """
    Twenty uploads are running when the server is told to stop: the ten that continue are stored, and the next start has
    them; the ten whose clients leave have left nothing, and can be sent again.
    """
    contents = [noise(400_000, number) for number in range(20)]
    with (
        live_server(tmp_path / "data", "--stop-seconds", str(round(PATIENCE_SECONDS))) as server,
        ExitStack() as opened,
    ):
        connections = [opened.enter_context(_begin(server, number, content)) for number, content in enumerate(contents)]
        server.process.terminate()
        _wait_until_closed(server)
        for connection, content in zip(connections[:10], contents, strict=False):
            connection.sendall(content[200_000:])
        assert [_status(connection) for connection in connections[:10]] == [201] * 10
        for connection in connections[10:]:
            connection.close()
        server.process.wait(PATIENCE_SECONDS)
        assert "Traceback" not in server.log.read_text()

    _check_after_stop(tmp_path / "data", contents, range(10))


def test_a_stop_cuts_off_what_does_not_end_and_keeps_nothing_half(tmp_path: Path) -> None:
    """Uploads that stall when the time is up get 503 or are cut; the next start has nothing of them."""
    contents = [noise(400_000, number) for number in range(10)]
    with live_server(tmp_path / "data", "--stop-seconds", "1") as server, ExitStack() as opened:
        connections = [opened.enter_context(_begin(server, number, content)) for number, content in enumerate(contents)]
        server.process.terminate()
        assert {_status(connection) for connection in connections} <= {0, 503}
        server.process.wait(PATIENCE_SECONDS)
        assert "Traceback" not in server.log.read_text()

    _check_after_stop(tmp_path / "data", contents, range(0))


def _check_after_stop(data: Path, contents: list[bytes], acknowledged: range) -> None:
    """The next server over *data* has the acknowledged ones of *contents*, no other, and accepts all of them again."""
    with live_server(data) as server, closing(Caller(server)) as caller, server.client() as client:
        listed = client.get("/api/v1/archives", params={"profile": "stop"}).json()["archives"]
        assert sorted(archive["name"] for archive in listed) == sorted(f"archive-{it}.tar.gz" for it in acknowledged)
        for number in acknowledged:
            assert caller.download("stop", f"archive-{number}.tar.gz") == contents[number]
        for number, content in enumerate(contents):
            assert caller.upload(WAYS[number % 3], "stop", f"archive-{number}.tar.gz", content).is_success
        assert staged(server) == []


def _begin(server: LiveServer, number: int, content: bytes) -> socket.socket:
    """A half-sent PUT that the server has begun to receive."""
    connection = socket.create_connection(server.host_and_port, timeout=PATIENCE_SECONDS)
    head = f"PUT /api/v1/profiles/stop/archives/FULL/archive-{number}.tar.gz HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Content-Length: {len(content)}\r\nExpect: 100-continue\r\n\r\n"
    connection.sendall(head.encode())
    assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
    connection.sendall(content[:200_000])
    return connection


def _wait_until_closed(server: LiveServer) -> None:
    """Wait until the server stops listening, which is the first thing it does when told to stop."""
    while True:
        try:
            socket.create_connection(server.host_and_port, timeout=PATIENCE_SECONDS).close()
        except (ConnectionRefusedError, ConnectionResetError):  # reset: the connection was in the closed queue
            return


def _status(connection: socket.socket) -> int:
    """The status of the server's response, 0 if it just closes the connection."""
    try:
        received = connection.recv(1 << 16)
    except ConnectionResetError:
        return 0
    return int(received.split()[1]) if received else 0
