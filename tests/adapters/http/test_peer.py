"""Another server that answers as no Tarkeep server does: nothing is believed, and nothing read without end."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tarkeep.adapters.http import peer as http_peer
from tarkeep.adapters.http.answers import read_archive
from tarkeep.adapters.http.connection import HttpConnection
from tarkeep.adapters.http.peer import HttpPeer, opened_peer
from tarkeep.adapters.http.told import Told
from tarkeep.domain.errors.client import Refused, ServerUnreachable
from tarkeep.domain.ports.upkeep.peers import Peer, PeerAddress
from tests.support.stub_server import Answer, StubServer, stub_server

ARCHIVE: dict[str, Any] = {
    "profile": "web",
    "type": "FULL",
    "name": "a.tar.gz",
    "size": 10,
    "md5": "0" * 32,
    "sha256": "a" * 64,
    "received_at": "2026-11-24T02:00:00Z",
    "taken_at": "2026-11-24T02:00:00Z",
    "state": "stored",
    "kind": None,
    "members": None,
    "unpacked_size": None,
}
OF_TODAY = {
    "parent": {"type": "FULL", "name": "b.tar.gz"},
    "snapshot_before": "b" * 64,
    "snapshot_after": "c" * 64,
    "snapshot": True,
    "notes": ["a note"],
}


@pytest.fixture
def stub() -> Iterator[StubServer]:
    with stub_server(Answer(200)) as stub:
        yield stub


@pytest.fixture
def peer(stub: StubServer) -> Iterator[HttpPeer]:
    with closing(HttpConnection(stub.url, "tk_token")) as connection:
        yield HttpPeer(connection)


def page(*archives: object, cursor: object = None) -> Answer:
    return Answer(200, json.dumps({"archives": archives, "next_cursor": cursor}).encode())


BAD: dict[str, dict[str, object]] = {
    "a name that leads out": {"name": "../../../etc/passwd.tar.gz"},
    "a name that is a path": {"name": "a/b.tar.gz"},
    "a name without its ending": {"name": "a.tgz"},
    "a name with a line end": {"name": "a\n.tar.gz"},
    "a name that is none": {"name": None},
    "a profile that leads out": {"profile": ".."},
    "another profile": {"profile": "laptop"},
    "no type": {"type": "../FULL"},
    "a digest that is none": {"sha256": "../" + "a" * 61},
    "a size below nothing": {"size": -1},
    "a size beyond all disks": {"size": 2**70},
    "no time": {"received_at": "yesterday"},
    "a time beyond the calendar": {"received_at": "9999-12-31T23:59:59-23:00"},
    "a parent that leads out": {"parent": {"type": "FULL", "name": "../b.tar.gz"}},
    "a snapshot that is no digest": {"snapshot_after": "x"},
    "notes with line ends": {"notes": ["a\nb"]},
    "notes without end": {"notes": ["a" * 900] * 400},
    "another state": {"state": "gone"},
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_an_entry_that_is_none_is_left_out_and_told(stub: StubServer, peer: HttpPeer, bad: dict[str, object]) -> None:
    """Those beside it are listed as usual."""
    stub.answer = page(ARCHIVE, {**ARCHIVE, **OF_TODAY, **bad}, {**ARCHIVE, **OF_TODAY, "name": "c.tar.gz"})
    found = peer.page("web")

    assert [one.id.name for one in found.archives] == ["a.tar.gz", "c.tar.gz"]
    (problem,) = found.problems
    assert "one of its entries" in problem
    assert len(problem) < 300


def test_what_an_older_server_does_not_tell_is_not_known(stub: StubServer, peer: HttpPeer) -> None:
    stub.answer = page(ARCHIVE, {**ARCHIVE, **OF_TODAY, "name": "c.tar.gz"}, cursor="next")
    older, today = peer.page("web").archives

    assert (older.lineage.parent, older.has_snapshot, older.notes) == (None, False, ())
    assert (today.lineage.snapshot_after, today.has_snapshot, today.notes) == ("c" * 64, True, ("a note",))
    assert stub.lines == ["GET /api/v1/archives?profile=web&limit=1000"]
    assert stub.asked[0]["authorization"] == "Bearer tk_token"


def test_profiles_that_cannot_be_are_left_out(stub: StubServer, peer: HttpPeer) -> None:
    names = ["web", "..", "", "a/b", "x" * 65, "laptop", "web"]
    stub.answer = Answer(200, json.dumps({"profiles": [{"profile": name} for name in names]}).encode())
    assert peer.profiles() == ["laptop", "web"]


NO_PAGES = {
    "no JSON": b"<html>",
    "a list": b"[]",
    "no members": b"{}",
    "members of other kinds": b'{"archives": {}, "next_cursor": null}',
    "entries that are none": b'{"archives": [1], "next_cursor": null}',
    "a cursor of another kind": b'{"archives": [], "next_cursor": [1]}',
    "nested without end": b"[" * 100_000,
}


@pytest.mark.parametrize("body", NO_PAGES.values(), ids=NO_PAGES.keys())
def test_a_page_that_is_none_is_refused(stub: StubServer, peer: HttpPeer, body: bytes) -> None:
    stub.answer = Answer(200, body)
    with pytest.raises(Refused, match="is not what it should be"):
        peer.page("web")


def test_what_is_packed_is_not_unpacked(stub: StubServer, peer: HttpPeer) -> None:
    """An answer of a kilobyte that would be a gigabyte is just no answer."""
    stub.answer = Answer(200, gzip.compress(bytes(50 << 20)), {"Content-Encoding": "gzip"})
    with pytest.raises(Refused):
        peer.page("web")


@pytest.mark.parametrize("status", [301, 302, 401, 404, 500, 503])
def test_a_refusal_is_an_error(stub: StubServer, peer: HttpPeer, status: int) -> None:
    """No redirect is followed: the token belongs to one server."""
    body = json.dumps({"code": "x", "detail": "no, it does not"}).encode()
    stub.answer = Answer(status, body, {"Location": "http://127.0.0.1:9/", "Content-Type": "application/problem+json"})
    archive = read_archive(Told(ARCHIVE))
    for ask in (lambda: peer.page("web"), lambda: peer.read(archive), lambda: peer.snapshot(archive)):
        with pytest.raises(Exception, match=r"does not|there|no archive|nobody"):
            ask()


def test_a_range_that_was_not_asked_for_is_refused(stub: StubServer, peer: HttpPeer) -> None:
    """Bytes from another position would be taken for those that are missing."""
    stub.answer = Answer(206, b"12345", {"Content-Range": "bytes 7-11/12"})
    archive = read_archive(Told(ARCHIVE))
    with pytest.raises(Refused, match="gives byte 7 where byte 3 was asked for"):
        peer.read(archive, 3)
    stub.answer = Answer(200, b"12345")
    with peer.read(archive, 3) as arriving:
        assert arriving.start_bytes == 0


Feed = Callable[[socket.socket, threading.Event], None]


@contextmanager
def feeding(feed: Feed) -> Iterator[Peer]:
    """A server that answers every connection with *feed*, until the peer is left."""
    is_over = threading.Event()

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                try:
                    client.recv(65536)
                    feed(client, is_over)
                except OSError:
                    continue

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=serve)
        serving.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            with opened_peer(PeerAddress(url)) as peer:
                yield peer
        finally:
            is_over.set()
            listener.shutdown(socket.SHUT_RDWR)
    serving.join(30)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def endless(client: socket.socket, is_over: threading.Event) -> None:
    client.sendall(HEAD)
    while not is_over.is_set():
        client.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")


def trickling(client: socket.socket, is_over: threading.Event) -> None:
    client.sendall(HEAD)
    while not is_over.wait(0.01):
        client.sendall(b"1\r\n \r\n")


def test_an_answer_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_peer, "MOST_ANSWER_BYTES", 1 << 20)
    with feeding(endless) as peer, pytest.raises(Refused, match="has more than 1048576 bytes"):
        peer.page("web")


def test_an_answer_that_trickles_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then is no answer, though the line never falls silent."""
    monkeypatch.setattr(http_peer, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(http_peer, "SLOWEST_RATE", 1 << 20)
    with feeding(trickling) as peer, pytest.raises(ServerUnreachable, match="bytes came in"):
        peer.page("web")


def slow_head(client: socket.socket, is_over: threading.Event) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\n")
    while not is_over.wait(0.01):
        client.sendall(b"X-More: a\r\n"[:3])


def slow_framing(client: socket.socket, is_over: threading.Event) -> None:
    client.sendall(HEAD + b"1;")
    while not is_over.wait(0.01):
        client.sendall(b"a")


@pytest.mark.parametrize("feed", [slow_head, slow_framing])
def test_what_never_becomes_an_answer_is_left(monkeypatch: pytest.MonkeyPatch, feed: Feed) -> None:
    """A head, or the frame around a body, that grows by a byte now and then: no time-out of a socket ends it."""
    monkeypatch.setattr(http_peer, "PATIENCE_SECONDS", 0.2)
    with feeding(feed) as peer, pytest.raises((ServerUnreachable, Refused)):
        peer.page("web")


def test_blocks_are_given_as_they_come() -> None:
    """So that whoever takes them can stop at any of them, however slowly they come."""
    with feeding(trickling) as peer, peer.read(read_archive(Told(ARCHIVE))) as arriving:
        assert next(iter(arriving)) == b" "
