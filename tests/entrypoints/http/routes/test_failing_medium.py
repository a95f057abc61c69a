"""
A disk that fails or is full while a resumable upload is received: the answers stay true, and the upload goes on.

strace is attached to a running server for one request and makes the K-th call of a kind fail, in whichever thread;
nothing of the server is replaced. Going through K until no call is left finds every place where it can happen.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx2
import pytest

from tests.support.raw_http import request
from tests.support.server import LiveServer, live_server
from tests.support.strace import attached, require_strace
from tests.support.tus import BYTES, begin, content, is_stored, new_name, offset_of, patch

ARCHIVE = content(300_000)
SUFFIXES = (".part", ".upload", ".json")
FIRST, SECOND = 100_000, 200_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("failing")
    require_strace(folder)
    with live_server(folder / "data") as running:
        yield running


def staged(server: LiveServer, upload: str, suffix: str) -> Path:
    return server.data / "staging" / (upload.rpartition("/")[2] + suffix)


def begun(client: httpx2.Client, name: str, offset: int) -> str:
    """An upload with that *offset*."""
    upload = begin(client, len(ARCHIVE), name)
    if offset:
        assert patch(client, upload, 0, ARCHIVE[:offset]).status_code == 204
    return upload


PIECES = {"first": (0, FIRST), "next": (FIRST, SECOND), "last": (SECOND, len(ARCHIVE))}
CALLS = [(piece, call) for piece in PIECES for call in ("write", "fsync", "fdatasync")] + [("last", "linkat")]


@pytest.mark.parametrize(
    ("error", "status", "code"), [("EIO", 503, "backend-unavailable"), ("ENOSPC", 507, "insufficient-storage")]
)
@pytest.mark.parametrize(("piece", "call"), CALLS)
def test_whatever_fails_the_offset_is_true_and_the_upload_goes_on(
    server: LiveServer, tmp_path: Path, piece: str, call: str, error: str, status: int, code: str
) -> None:
    """Every such call of a PATCH in turn: the right error, no byte counted that is not stored, and then it works."""
    start, stop = PIECES[piece]
    with server.client() as client:
        for which in count(1):
            name = new_name()
            upload = begun(client, name, start)
            # only writes to staged files: the server also writes to sockets and its log
            paths = [f"-P{staged(server, upload, suffix)}" for suffix in SUFFIXES] if call == "write" else []
            log = tmp_path / f"{which}.log"
            with attached(
                server.process, log, f"--trace={call}", f"--inject={call}:error={error}:when={which}", *paths
            ):
                answer = patch(client, upload, start, ARCHIVE[start:stop])
            failed = [line for line in log.read_text().splitlines() if "(INJECTED)" in line]
            if not failed:
                assert answer.status_code == 204
                break

            # SQLite recovers from some of it, and reports a full disk at an fsync as an error of the disk
            of_catalog = "catalog.sqlite" in failed[0] or f"{server.data}>" in failed[0]
            if "/audit.log>" in failed[0]:
                assert answer.status_code == 204  # it is stored and stays, and the server's own log says so
            elif not of_catalog:
                assert (answer.status_code, answer.json()["code"]) == (status, code), failed
            elif answer.status_code != 204:
                assert (answer.status_code, answer.json()["code"]) == (503, "backend-unavailable"), failed
            told = client.head(upload)
            assert told.status_code == 200
            if "tarkeep-archive" not in told.headers:
                offset = start if answer.status_code != 204 else stop
                assert told.headers["upload-offset"] == str(offset)
                assert staged(server, upload, ".part").read_bytes()[:offset] == ARCHIVE[:offset]
                assert patch(client, upload, offset, ARCHIVE[offset:]).status_code == 204
            assert is_stored(client, name, ARCHIVE)
    assert which > 1


def test_what_was_not_saved_is_not_found_by_the_next_process(tmp_path: Path) -> None:
    """An offset whose journal failed may be cut back; after a crash nothing records it any more."""
    name = new_name()
    with live_server(tmp_path / "data") as server, server.client() as client:
        upload = begun(client, name, FIRST)
        fault = "--inject=fdatasync:error=EIO:when=1"
        with attached(server.process, tmp_path / "strace.log", "--trace=fdatasync", fault):
            assert patch(client, upload, FIRST, ARCHIVE[FIRST:SECOND]).status_code == 503
        head = {**BYTES, "Upload-Offset": str(FIRST), "Content-Length": str(len(ARCHIVE) - FIRST)}
        with socket.create_connection(server.host_and_port, timeout=30) as connection:
            connection.sendall(request("PATCH", upload, {**head, "Expect": "100-continue"}))
            assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
            while staged(server, upload, ".part").stat().st_size != FIRST:
                pass
            server.kill()
    with live_server(tmp_path / "data") as server, server.client() as client:
        assert offset_of(client, upload) == staged(server, upload, ".part").stat().st_size == FIRST
        assert patch(client, upload, FIRST, ARCHIVE[FIRST:]).status_code == 204
        assert is_stored(client, name, ARCHIVE)


@pytest.mark.parametrize(
    "point", ["linkat:when=2", "fsync:when=5", "unlink:when=2", "unlink:when=3", "fdatasync:when=2", "fdatasync:when=3"]
)
def test_killed_around_storing_the_upload_ends_as_usual(tmp_path: Path, point: str) -> None:
    """Also between storing an archive and recording it: the next process knows it, and never writes to stored files."""
    name = new_name()
    log = tmp_path / "strace.log"
    with live_server(tmp_path / "data") as server, server.client() as client:
        upload = begun(client, name, SECOND)
        options = (f"--trace={point.partition(':')[0]}", f"--inject={point.replace(':', ':signal=SIGKILL:')}")
        with attached(server.process, log, *options, kills=True), pytest.raises(httpx2.TransportError):
            patch(client, upload, SECOND, ARCHIVE[SECOND:])
    assert "killed by SIGKILL" in log.read_text()
    stored = tmp_path / "data" / "archives" / "laptop" / "FULL" / name
    was_there = stored.exists()
    with live_server(tmp_path / "data") as server, server.client() as client:
        told = client.head(upload)
        if "tarkeep-archive" not in told.headers:
            assert told.headers["upload-offset"] == str(SECOND)
            assert patch(client, upload, SECOND, ARCHIVE[SECOND:]).status_code == 204
        assert ("tarkeep-archive" in told.headers) == was_there
        assert stored.read_bytes() == ARCHIVE
        assert is_stored(client, name, ARCHIVE)
        assert not staged(server, upload, ".part").exists()
