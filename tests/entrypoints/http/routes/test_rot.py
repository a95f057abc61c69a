"""
Rot on the disk of a real server: no route serves it as good, and its log names it once, in one plain line.

The files of a running server are damaged behind its back, as a disk does it.
"""

from __future__ import annotations

import io
import itertools
import random
import re
import shutil
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from attrs import define, field

from tarkeep.domain.archives.block_sums import BLOCK_BYTES
from tests.support.archives import make_targz
from tests.support.server import LiveServer, live_server

FILES = {f"f{number}": random.Random(number).randbytes(120_000) for number in range(8)}
LARGE = make_targz(FILES)
SMALL = make_targz({"f0": b"small"})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for all tests here; each archive has a name of its own."""
    with live_server(tmp_path_factory.mktemp("rot") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def client(server: LiveServer) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


_numbers = itertools.count()


@define
class Victim:
    """An archive on *server*, as *client* sees it and as a file."""

    server: LiveServer
    client: httpx2.Client
    name: str = field(factory=lambda: f"a{next(_numbers)}.tar.gz")

    @property
    def url(self) -> str:
        return f"/api/v1/profiles/p/archives/FULL/{self.name}"

    @property
    def file(self) -> Path:
        return self.server.data / "archives" / "p" / "FULL" / self.name

    def put(self, content: bytes) -> httpx2.Response:
        return self.client.put(self.url, content=content).raise_for_status()

    def flip(self, position: int) -> None:
        self.file.chmod(0o600)
        with self.file.open("r+b") as opened:
            opened.seek(position)
            byte = opened.read(1)[0]
            opened.seek(position)
            opened.write(bytes([byte ^ 16]))

    def lose(self, *folders: str) -> None:
        for folder in folders:
            shutil.rmtree(self.server.data / folder, ignore_errors=True)

    @property
    def state(self) -> str:
        archives = self.client.get("/api/v1/archives?limit=1000").json()["archives"]
        return str(next(archive["state"] for archive in archives if archive["name"] == self.name))

    @property
    def damage_lines(self) -> list[str]:
        log = self.server.log.read_text()
        assert "Traceback" not in log
        assert "bug" not in log
        return [line for line in log.splitlines() if " ERROR " in line and self.name in line]


@pytest.fixture
def victim(server: LiveServer, client: httpx2.Client) -> Victim:
    return Victim(server, client)


def is_whole(client: httpx2.Client, url: str, wanted: bytes, **headers: str) -> bool:
    """Whether the answer is a success that ends as it should."""
    try:
        answer = client.get(url, headers=headers)
    except httpx2.RemoteProtocolError:  # cut off
        return False
    if answer.status_code >= 400:
        assert answer.json()["code"] in ("archive-corrupt", "not-restorable")
        return False
    assert answer.content == wanted, "rot was served as good"
    return True


CONDITIONS: dict[str, dict[str, str]] = {
    "plain": {},
    "another tag": {"If-None-Match": '"0"'},
    "whole range": {"Range": f"bytes=0-{len(LARGE) - 1}"},
    "open range": {"Range": "bytes=0-"},
    "if-range fails": {"Range": "bytes=5-9", "If-Range": '"0"'},
    "two ranges": {"Range": "bytes=0-1,5-9"},
}


@pytest.mark.parametrize("family", ["v1", "original"])
@pytest.mark.parametrize("headers", CONDITIONS.values(), ids=CONDITIONS)
@pytest.mark.parametrize("has_sums", [True, False], ids=["sums", "no sums"])
def test_a_whole_download_is_never_rotten(victim: Victim, family: str, headers: dict[str, str], has_sums: bool) -> None:
    """With any condition under which all of it is sent; the archive is marked, and the log names it once."""
    victim.put(LARGE)
    client, url = victim.client, victim.url if family == "v1" else f"/download/FULL/{victim.name}"
    assert is_whole(client, url, LARGE, **headers)
    if not has_sums:
        victim.lose("sums")
    victim.flip(len(LARGE) - 9)

    assert not is_whole(client, url, LARGE, **headers)
    assert victim.state == "damaged"
    assert not is_whole(client, url, LARGE, **headers)
    assert client.head(url).status_code == 500
    assert client.get(url, headers={"If-None-Match": "*"}).status_code == 500
    (line,) = victim.damage_lines
    assert re.search(rf" ERROR damaged archive=p/FULL/{re.escape(victim.name)} found=\"its bytes ", line)


def test_a_small_one_is_told_before_anything_is_sent(victim: Victim) -> None:
    """The answer is 500 from the first time on."""
    victim.put(SMALL)
    victim.flip(len(SMALL) - 1)

    first = victim.client.get(victim.url, headers={"Range": "bytes=0-3"})
    assert (first.status_code, first.json()["code"]) == (500, "archive-corrupt")
    assert victim.state == "damaged"
    assert len(victim.damage_lines) == 1


def test_a_range_is_checked_by_the_blocks_it_touches(victim: Victim) -> None:
    """A range without the damage is served; so a resumed download never ends with rot."""
    victim.put(LARGE)
    victim.flip(2 * BLOCK_BYTES + 5)
    before = f"bytes=7-{2 * BLOCK_BYTES - 1}"

    assert is_whole(victim.client, victim.url, LARGE[7 : 2 * BLOCK_BYTES], Range=before)
    assert victim.state == "stored"
    assert not is_whole(victim.client, victim.url, LARGE[2 * BLOCK_BYTES :], Range=f"bytes={2 * BLOCK_BYTES}-")
    assert victim.state == "damaged"


@pytest.mark.parametrize("at", [5, BLOCK_BYTES + 5, len(LARGE) - 1])
def test_a_range_without_sums_is_not_given_as_it_lies_there(victim: Victim, at: int) -> None:
    """They are made first, which finds rot anywhere; for a whole archive only once."""
    victim.put(LARGE)
    victim.lose("sums")
    assert is_whole(victim.client, victim.url, LARGE[3:9], Range="bytes=3-8")
    victim.flip(at)
    victim.lose("sums")

    assert not is_whole(victim.client, victim.url, LARGE[at : at + 1], Range=f"bytes={at}-{at}")
    assert victim.state == "damaged"
    assert len(victim.damage_lines) == 1


def test_asking_for_the_head_reads_nothing(victim: Victim) -> None:
    """It is cheap, and says nothing about bytes that were not read."""
    victim.put(LARGE)
    victim.flip(5)

    head = victim.client.head(victim.url)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(LARGE)))
    assert victim.state == "stored"


@pytest.mark.parametrize("lost", [(), ("sums",), ("members",), ("sums", "members", "seek")])
def test_no_file_out_of_an_archive_is_rotten(server: LiveServer, client: httpx2.Client, lost: tuple[str, ...]) -> None:
    """Whole or in part, whatever caches are lost: a complete answer is what was in the archive."""
    rng = random.Random(str(lost))
    for _ in range(8):
        victim = Victim(server, client)
        victim.put(LARGE)
        victim.lose(*lost)
        victim.flip(rng.randrange(len(LARGE)))
        told = 0
        for file in rng.sample(sorted(FILES), len(FILES)):
            url = f"{victim.url}/members/{file}"
            told += not is_whole(client, url, FILES[file])
            told += not is_whole(client, url, FILES[file][50:90_000], Range="bytes=50-89999")
        assert told
        assert victim.state == "damaged"
        assert len(victim.damage_lines) == 1


def test_a_restored_tree_is_never_rotten(server: LiveServer, client: httpx2.Client) -> None:
    """The tar breaks off, or is refused, and from then on the point does not restore."""
    rng = random.Random(3)
    for _ in range(8):
        victim = Victim(server, client)
        victim.put(LARGE)
        victim.flip(rng.randrange(len(LARGE)))
        target = f"/api/v1/profiles/p/restore.tar?at=FULL/{victim.name}"
        assert not is_whole(client, target, b"")
        assert client.get(target).status_code == 409
        assert len(victim.damage_lines) == 1


def test_what_is_sent_again_is_whole_again(victim: Victim) -> None:
    """And is served as before, also its files."""
    victim.put(LARGE)
    victim.flip(5)
    assert not is_whole(victim.client, victim.url, LARGE)

    again = victim.put(LARGE)
    assert (again.status_code, again.json()["outcome"]) == (200, "repaired")
    assert is_whole(victim.client, victim.url, LARGE)
    assert is_whole(victim.client, victim.url + "/members/f3", FILES["f3"])
    assert victim.state == "stored"


def test_a_broken_off_answer_is_short_on_the_wire(victim: Victim) -> None:
    """A client that counts bytes finds that some are missing, and the connection is closed, not left hanging."""
    victim.put(LARGE)
    victim.flip(len(LARGE) - 9)

    with socket.create_connection(victim.server.host_and_port, timeout=30) as line:
        line.sendall(f"GET {victim.url} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        answer = b""
        while block := line.recv(1 << 20):
            answer += block
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert f"content-length: {len(LARGE)}".encode() in head.lower()
    assert LARGE.startswith(body)
    assert len(body) < len(LARGE)


def test_a_lost_file_is_told_like_a_rotten_one(victim: Victim) -> None:
    """The archive is not 'not found': it is known, and gone."""
    victim.put(LARGE)
    victim.file.unlink()

    assert not is_whole(victim.client, victim.url, LARGE)
    assert victim.state == "damaged"
    assert "its file is missing" in victim.damage_lines[0]


def test_the_archive_used_here_is_what_it_is_taken_for() -> None:
    """It has several blocks, with several files in each."""
    assert len(LARGE) > 3 * BLOCK_BYTES
    assert len(SMALL) < BLOCK_BYTES
    with tarfile.open(fileobj=io.BytesIO(LARGE)) as tar:
        assert sorted(tar.getnames()) == sorted(FILES)
