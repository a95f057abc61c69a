"""How the client's HTTP adapter identifies itself. Tests of the commands cover its requests."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tarkeep.adapters.http.connection import HttpConnection
from tarkeep.adapters.http.remote import HttpRemote
from tarkeep.domain.errors.client import Refused, ServerUnreachable
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import DeclaredDigests
from tests.contracts.client.remote_store import RemoteStoreContract
from tests.support.remotes import remote_at
from tests.support.stub_server import Answer, stub_server

ARCHIVE = ArchiveId("laptop", BackupType.FULL, "full.tar.gz")


class TestHttpRemote(RemoteStoreContract):
    """With a real server behind it."""


class _Web(ThreadingHTTPServer):
    authorization: str | None = None


class _Created(BaseHTTPRequestHandler):
    """Creates every upload, and records the requests."""

    server: _Web

    def do_POST(self) -> None:
        self.server.authorization = self.headers["Authorization"]
        self.send_response(201)
        self.send_header("Location", "/api/v1/uploads/1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[_Web]:
    with _Web(("127.0.0.1", 0), _Created) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield web
        finally:
            web.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("login", "token", "authorization"),
    [
        ("", None, None),
        ("laptop:s%40cr%C3%A9t@", None, "Basic " + base64.b64encode("laptop:s@cr\u00e9t".encode()).decode()),
        ("", "token", "Bearer token"),
        ("laptop:secret@", "token", "Bearer token"),
    ],
    ids=["neither", "login", "token", "both"],
)
def test_the_login_in_an_address_is_sent_and_not_handed_on(
    web: _Web, login: str, token: str | None, authorization: str | None
) -> None:
    """A proxy that asks for a login gets it; messages and notes between runs contain no password."""
    address = f"127.0.0.1:{web.server_port}"
    connection = HttpConnection(f"http://{login}{address}/", token)
    remote = HttpRemote(connection)
    try:
        upload = remote.create_upload(ARCHIVE, 1, DeclaredDigests())
    finally:
        connection.close()

    assert web.authorization == authorization
    assert upload == f"http://{address}/api/v1/uploads/1"
    assert remote.shown_url == f"http://{address}"
    assert "secret" not in repr(remote)


def test_a_server_that_has_answered_is_not_called_unreachable() -> None:
    """It was reachable, so it may come back: the connection failed."""
    with stub_server(Answer(200, b'{"profiles": []}')) as stub:
        met, stranger = HttpConnection(stub.url), HttpConnection(stub.url)
        HttpRemote(met).totals()
    told = []
    for connection in (met, stranger):
        with closing(connection), pytest.raises(ServerUnreachable) as caught:
            HttpRemote(connection).totals()
        told.append(caught.value.is_unreachable)

    assert told == [False, True]


@pytest.mark.parametrize(
    "location",
    [
        "/api/v1/uploads/1",
        "/below/api/v1/uploads/1",
        "http://evil.example/api/v1/uploads/1",
        "https://127.0.0.1/below/api/v1/uploads/1",
        "//evil.example/uploads/1",
        "http://127.0.0.1:PORT@evil.example/1",
        "http://127.0.0.1:PORT.evil.example/below/1",
    ],
)
@pytest.mark.parametrize("path", ["", "/below"])
def test_an_upload_is_at_the_server_it_was_begun_at(location: str, path: str) -> None:
    """Whatever host an answer names: bytes and token go to no other server. A proxy may have lost its own path, too."""
    with stub_server(Answer(201, b"")) as stub:
        port = stub.url.rpartition(":")[2]
        stub.answer = Answer(201, b"", {"Location": location.replace("PORT", port)})
        with remote_at(stub.url + path, "s3cret") as remote:
            upload = remote.create_upload(ARCHIVE, 1, DeclaredDigests())

    assert upload == f"{stub.url}{path}/api/v1/uploads/1"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("same_host", [True, False])
def test_a_redirect_is_not_followed_with_a_token(status: int, same_host: bool) -> None:
    """Nor without one: the error names the target."""
    with stub_server(Answer(200, b'{"profiles": []}')) as other, stub_server(Answer(200)) as stub:
        stub.answer = Answer(status, b"", {"Location": f"{(stub if same_host else other).url}/elsewhere"})
        with remote_at(stub.url, "s3cret") as remote:
            with pytest.raises(Refused, match="points to"):
                remote.totals()
            with pytest.raises(Refused, match="points to"):
                remote.put(ARCHIVE, [b"x"], 1, DeclaredDigests())

    assert other.asked == []
    assert len(stub.asked) == 2


def test_a_token_goes_to_no_other_host() -> None:
    """Wherever a noted address, or one from a server, points to."""
    with (
        stub_server(Answer(204, b"")) as stub,
        stub_server(Answer(204, b"")) as other,
        remote_at(f"{stub.url}/below", "s3cret") as remote,
    ):
        remote.drop_upload(f"{stub.url}/below/api/v1/uploads/1")
        remote.drop_upload(f"{stub.url}/beside/api/v1/uploads/1")
        remote.drop_upload(f"{other.url}/below/api/v1/uploads/1")

    assert [asked.get("authorization") for asked in stub.asked] == ["Bearer s3cret", None]
    assert [asked.get("authorization") for asked in other.asked] == [None]
