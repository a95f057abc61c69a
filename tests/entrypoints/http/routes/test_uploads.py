"""Resumable uploads over HTTP: tus and curl, cuts, crashes and races, against memory adapters and real servers."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.support.raw_http import request
from tests.support.server import LiveServer, live_server
from tests.support.tus import BYTES, MIB, TUS, UPLOADS, begin, content, described, is_stored, new_name, offset_of, patch

SMALL = content(50_000)
LARGE = content(20 * MIB)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("uploads") / "data", "--max-uploads", "16") as running:
        yield running


@pytest.fixture
def client(server: LiveServer) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


def wait_for_offset(client: httpx2.Client, upload: str, offset: int) -> None:
    """Until the server has dealt with a request whose answer was not awaited."""
    while (told := offset_of(client, upload)) != offset:
        assert told < offset


def send_and_vanish(address: tuple[str, int], upload: str, offset: int, body: bytes, announced: int) -> None:
    """Send *body* of a PATCH that announces more, and close the connection."""
    headers = {**BYTES, "Upload-Offset": str(offset), "Content-Length": str(announced)}
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(request("PATCH", upload, headers) + body)


def test_an_upload_in_pieces_becomes_an_archive(client: httpx2.Client) -> None:
    """Each answer has the new offset; the last one names the archive, which is stored by then."""
    name = new_name()
    upload = begin(client, len(SMALL), name)

    first = patch(client, upload, 0, SMALL[:20_000])
    assert (first.status_code, first.headers["upload-offset"]) == (204, "20000")
    assert "tarkeep-archive" not in first.headers
    assert "upload-expires" in first.headers
    assert offset_of(client, upload) == 20_000

    last = patch(client, upload, 20_000, SMALL[20_000:])
    assert last.status_code == 204
    assert last.headers["tarkeep-archive"] == f"/api/v1/profiles/laptop/archives/FULL/{name}"
    assert is_stored(client, name, SMALL)
    assert client.head(upload).headers["tarkeep-archive"] == last.headers["tarkeep-archive"]


def test_the_last_answer_may_be_asked_for_again(client: httpx2.Client) -> None:
    """A client that did not get it sends nothing more, and gets the same answer."""
    upload = begin(client, len(SMALL), new_name())
    patch(client, upload, 0, SMALL)

    again = patch(client, upload, len(SMALL), b"")
    assert again.status_code == 204
    assert "tarkeep-archive" in again.headers


def test_the_last_answer_tells_of_the_archive_where_that_is_preferred(client: httpx2.Client) -> None:
    """So that no further request is needed; while bytes are missing the preference changes nothing."""
    name = new_name()
    upload = begin(client, len(SMALL), name)
    first = patch(client, upload, 0, SMALL[:20_000], Prefer="return=representation")
    last = patch(client, upload, 20_000, SMALL[20_000:], Prefer="respond-async, Return=Representation;x=y")

    assert (first.status_code, first.content) == (204, b"")
    assert (last.status_code, last.headers["preference-applied"]) == (200, "return=representation")
    assert last.headers["tarkeep-archive"] == f"/api/v1/profiles/laptop/archives/FULL/{name}"
    assert last.json() == client.get(upload).json()
    assert last.json()["archive"]["name"] == name


def test_what_arrived_before_a_cut_is_kept(server: LiveServer, client: httpx2.Client) -> None:
    """A connection that dies in the middle leaves every byte that the server received, and the rest completes it."""
    name = new_name()
    upload = begin(client, len(LARGE), name)
    send_and_vanish(server.host_and_port, upload, 0, LARGE[: 5 * MIB + 123], len(LARGE))

    offset = 5 * MIB + 123
    wait_for_offset(client, upload, offset)
    assert patch(client, upload, offset, LARGE[offset:]).status_code == 204
    assert is_stored(client, name, LARGE)


def test_an_offset_survives_a_crash(tmp_path: Path) -> None:
    """After kill -9 anywhere in a request, the offset in HEAD is stored, and digests and checks continue from it."""
    data = tmp_path / "data"
    name = new_name()
    drawn = random.Random(11)
    told = 0
    upload = ""
    for _ in range(10):
        with live_server(data) as server, server.client() as client:
            upload = upload or begin(client, len(LARGE), name)
            offset = offset_of(client, upload)
            part = data / "staging" / (upload.rpartition("/")[2] + ".part")
            staged = part.read_bytes() if part.exists() else b""
            assert told <= offset <= len(staged)
            assert staged[:offset] == LARGE[:offset]
            told = int(patch(client, upload, offset, LARGE[offset : offset + 1000]).headers["upload-offset"])
            sent = told + drawn.randrange(1, len(LARGE) - told)
            headers = {**BYTES, "Upload-Offset": str(told), "Content-Length": str(len(LARGE) - told)}
            with socket.create_connection(server.host_and_port, timeout=30) as connection:
                connection.sendall(request("PATCH", upload, headers) + LARGE[told:sent])
                # all but the bytes that wait for a full block
                while part.stat().st_size < sent - 2 * MIB:
                    pass
                server.kill()
    with live_server(data) as server, server.client() as client:
        offset = offset_of(client, upload)
        assert told <= offset < len(LARGE)
        assert patch(client, upload, offset, LARGE[offset:]).status_code == 204
        assert is_stored(client, name, LARGE)
    assert [path for path in (data / "staging").iterdir() if path.suffix != ".upload"] == []


def _flip(part: Path) -> None:
    content = bytearray(part.read_bytes())
    content[12_345] ^= 8
    part.write_bytes(content)


def _cut(part: Path) -> None:
    os.truncate(part, 12_345)


@pytest.mark.parametrize("validate", ["full", "off"])
@pytest.mark.parametrize("stops", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("damage", [_flip, _cut])
def test_bytes_that_rot_between_two_pieces_are_not_acknowledged(
    tmp_path: Path, damage: Callable[[Path], None], stops: bool, validate: str
) -> None:
    """Whether the server went on or restarted: the upload is over, nothing is stored, and sent again it is accepted."""
    data, name = tmp_path / "data", new_name()
    with ExitStack() as open_servers:
        server = open_servers.enter_context(live_server(data, "--validate", validate))
        client = open_servers.enter_context(server.client())
        upload = begin(client, len(SMALL), name)
        assert patch(client, upload, 0, SMALL[:20_000]).status_code == 204
        assert patch(client, upload, 20_000, SMALL[20_000:30_000]).status_code == 204
        if stops:
            open_servers.close()
            server = open_servers.enter_context(live_server(data, "--validate", validate))
            client = open_servers.enter_context(server.client())
        damage(data / "staging" / (upload.rpartition("/")[2] + ".part"))

        if damage is _cut:
            assert client.head(upload).status_code == 410
        assert patch(client, upload, 30_000, SMALL[30_000:]).status_code == 410
        assert list((data / "staging").iterdir()) == []
        assert not (data / "archives" / "laptop").exists()
        again = begin(client, len(SMALL), name)
        assert patch(client, again, 0, SMALL).status_code == 204
        assert is_stored(client, name, SMALL)


def test_a_rotten_piece_is_not_concatenated(tmp_path: Path) -> None:
    """It is over; the others stay."""
    data, name = tmp_path / "data", new_name()
    with live_server(data) as server, server.client() as client:
        pieces = []
        for some in (SMALL[:30_000], SMALL[30_000:]):
            headers = {**TUS, "Upload-Length": str(len(some)), "Upload-Concat": "partial"}
            pieces.append(client.post(UPLOADS, headers=headers).headers["location"])
            assert patch(client, pieces[-1], 0, some).status_code == 204
        _flip(data / "staging" / (pieces[0].rpartition("/")[2] + ".part"))
        about = {"Upload-Metadata": described(filename=name, profile="laptop", type="FULL")}
        joining = {**TUS, **about, "Upload-Concat": "final;" + " ".join(pieces)}

        assert client.post(UPLOADS, headers=joining).status_code == 410
        assert [client.head(piece).status_code for piece in pieces] == [410, 200]
        assert not (data / "archives" / "laptop").exists()


def test_a_dead_connection_lets_go_for_a_newcomer(server: LiveServer, client: httpx2.Client) -> None:
    """Its socket stays open and silent; the next request gets through, from where it stopped."""
    for ask_first in (True, False):
        name = new_name()
        upload = begin(client, len(SMALL), name)
        headers = {**BYTES, "Upload-Offset": "0", "Content-Length": str(len(SMALL))}
        with socket.create_connection(server.host_and_port, timeout=30) as dead:
            dead.sendall(request("PATCH", upload, headers) + SMALL[:20_000])
            if ask_first:
                wait_for_offset(client, upload, 20_000)
            while (answer := patch(client, upload, 20_000, SMALL[20_000:])).status_code == 409:
                pass  # asked before the first request was even begun
            assert answer.status_code == 204
        assert is_stored(client, name, SMALL)


def test_a_connection_at_work_is_left_alone(server: LiveServer, client: httpx2.Client) -> None:
    """A newcomer is told when to come back, HEAD is answered meanwhile, and the first one ends well."""
    name = new_name()
    upload = begin(client, len(SMALL), name)
    headers = {**BYTES, "Upload-Offset": "0", "Content-Length": str(len(SMALL))}
    answered = threading.Event()
    with ThreadPoolExecutor(1) as beside, socket.create_connection(server.host_and_port, timeout=30) as first:
        first.sendall(request("PATCH", upload, headers) + SMALL[:1000])

        def trickle() -> None:
            sent = 1000
            while not answered.wait(0.1):
                first.sendall(SMALL[sent : sent + 10])
                sent += 10
            first.sendall(SMALL[sent:])

        trickling = beside.submit(trickle)
        try:
            while (newcomer := patch(client, upload, 1, SMALL[1:])).status_code == 409:
                assert not trickling.done()  # it asked before the first request was begun, and was wrong about it
            told = offset_of(client, upload)
        finally:
            answered.set()
        trickling.result()
        assert first.recv(100).startswith(b"HTTP/1.1 204")
    assert (newcomer.status_code, newcomer.json()["code"]) == (423, "upload-locked")
    assert "retry-after" in newcomer.headers
    assert told < len(SMALL)
    assert is_stored(client, name, SMALL)


def test_races_of_two_senders_never_corrupt(server: LiveServer) -> None:
    """A hundred times two clients send for one upload at once, each until it is complete."""
    archives = [content(30_000, seed) for seed in range(100)]

    def send_to_the_end(upload: str, archive: bytes) -> None:
        with server.client() as client:
            while (offset := offset_of(client, upload)) < len(archive):
                end = min(len(archive), offset + 11_000)
                answer = patch(client, upload, offset, archive[offset:end])
                assert answer.status_code in (204, 409, 423), answer.text

    with server.client() as client, ThreadPoolExecutor(2) as senders:
        for archive in archives:
            name = new_name()
            upload = begin(client, len(archive), name)
            both = [senders.submit(send_to_the_end, upload, archive) for _ in range(2)]
            for sender in both:
                sender.result()
            assert client.head(f"/api/v1/profiles/laptop/archives/FULL/{name}").headers["etag"] == (
                f'"{hashlib.sha256(archive).hexdigest()}"'
            )


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_a_checksum_is_all_or_nothing(server: LiveServer, client: httpx2.Client, algorithm: str) -> None:
    """Wrong bytes, and bytes of a request that was cut, leave the offset where it was; the right ones count."""
    name = new_name()
    upload = begin(client, len(SMALL), name)
    digest = base64.b64encode(hashlib.new(algorithm, SMALL[:30_000]).digest()).decode()
    checksum = {"Upload_Checksum": f"{algorithm} {digest}"}

    wrong = patch(client, upload, 0, b"x" + SMALL[1:30_000], **checksum)
    assert (wrong.status_code, wrong.json()["code"]) == (460, "checksum-mismatch")
    assert offset_of(client, upload) == 0
    headers = {**BYTES, "Upload-Offset": "0", "Content-Length": "30000", "Upload-Checksum": f"{algorithm} {digest}"}
    with socket.create_connection(server.host_and_port, timeout=30) as connection:
        connection.sendall(request("PATCH", upload, headers) + SMALL[:20_000])
    assert offset_of(client, upload) == 0
    assert patch(client, upload, 0, SMALL[:30_000], **checksum).status_code == 204
    assert patch(client, upload, 30_000, SMALL[30_000:]).status_code == 204
    assert is_stored(client, name, SMALL)


def test_a_length_may_be_left_open(client: httpx2.Client) -> None:
    """It is declared with any later bytes; until then the upload is not complete."""
    name = new_name()
    upload = begin(client, None, name)
    assert client.head(upload).headers["upload-defer-length"] == "1"
    patch(client, upload, 0, SMALL)
    assert "tarkeep-archive" not in client.head(upload).headers

    last = patch(client, upload, len(SMALL), b"", Upload_Length=str(len(SMALL)))
    assert "tarkeep-archive" in last.headers
    assert is_stored(client, name, SMALL)


def test_the_first_bytes_may_come_with_the_creation(client: httpx2.Client) -> None:
    """Some of them, or all: then the answer to the creation names the archive."""
    name = new_name()
    about = {"Upload-Metadata": described(filename=name, profile="laptop", type="FULL")}
    answer = client.post(UPLOADS, content=SMALL, headers={**BYTES, **about, "Upload-Length": str(len(SMALL))})

    assert (answer.status_code, answer.headers["upload-offset"]) == (201, str(len(SMALL)))
    assert "tarkeep-archive" in answer.headers
    assert is_stored(client, name, SMALL)


def test_pieces_are_concatenated_to_an_archive(client: httpx2.Client) -> None:
    """In the order named; asking again gives the same upload, and the pieces are gone."""
    name = new_name()
    cuts = [0, 10_000, 35_000, len(SMALL)]
    pieces = []
    for start, stop in pairwise(cuts):
        headers = {**TUS, "Upload-Length": str(stop - start), "Upload-Concat": "partial"}
        pieces.append(client.post(UPLOADS, headers=headers).headers["location"])
        assert patch(client, pieces[-1], 0, SMALL[start:stop]).status_code == 204
    about = {"Upload-Metadata": described(filename=name, profile="laptop", type="FULL")}
    joining = {**TUS, **about, "Upload-Concat": "final;" + " ".join(pieces)}

    answers = [client.post(UPLOADS, headers=joining) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert is_stored(client, name, SMALL)
    assert client.head(pieces[0]).status_code == 410


def test_an_upload_that_is_no_archive_is_over(server: LiveServer, client: httpx2.Client) -> None:
    """The answer says what is wrong, the next one that it is over, and none of its bytes are left."""
    name = new_name()
    upload = begin(client, 5000, name)
    answer = patch(client, upload, 0, b"x" * 5000)

    assert (answer.status_code, answer.json()["code"]) == (422, "not-a-gzip")
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert client.head(upload).status_code == 410
    assert not (server.data / "staging" / (upload.rpartition("/")[2] + ".part")).exists()


def test_the_same_bytes_again_leave_nothing_in_staging(server: LiveServer, client: httpx2.Client) -> None:
    """An upload that turns out to be stored already is a success, and its own copy of the bytes is dropped."""
    name, archive = new_name(), content(1000)
    for _ in range(2):
        upload = begin(client, len(archive), name)
        assert patch(client, upload, 0, archive).status_code == 204

        left = [path.name for path in (server.data / "staging").glob(upload.rpartition("/")[2] + "*")]
        assert left == [upload.rpartition("/")[2] + ".upload"]
    assert is_stored(client, name, archive)


def test_other_bytes_under_a_name_are_refused_before_they_are_sent(client: httpx2.Client) -> None:
    """If the digest is declared, an upload that could only fail is not begun."""
    name = new_name()
    patch(client, begin(client, len(SMALL), name), 0, SMALL)
    about = described(filename=name, profile="laptop", type="FULL", sha256="0" * 64)

    answer = client.post(UPLOADS, headers={**TUS, "Upload-Length": "5", "Upload-Metadata": about})
    assert (answer.status_code, answer.json()["code"]) == (409, "name-conflict")


def test_a_stated_time_is_the_time_of_the_dump(client: httpx2.Client) -> None:
    """taken_at in the metadata overrides the name and the members."""
    name = new_name()
    about = described(filename=name, profile="laptop", type="FULL", taken_at="2020-02-02T04:00:00+02:00")
    headers = {**BYTES, "Upload-Length": str(len(SMALL)), "Upload-Metadata": about}
    upload = client.post(UPLOADS, content=SMALL, headers=headers).headers["location"]

    assert client.get(upload).json()["archive"]["taken_at"] == "2020-02-02T02:00:00Z"


def test_a_client_that_can_only_post_names_the_method(client: httpx2.Client) -> None:
    """X-HTTP-Method-Override counts as the method."""
    upload = begin(client, len(SMALL), new_name())
    headers = {**BYTES, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}

    assert client.post(upload, content=SMALL, headers=headers).status_code == 204
    assert client.post(upload, headers={**TUS, "X-HTTP-Method-Override": "DELETE"}).status_code == 204
    assert client.get(upload).status_code == 410


def test_curl_alone_resumes(server: LiveServer, client: httpx2.Client, tmp_path: Path) -> None:
    """HEAD tells the offset, and curl -C goes on from there."""
    name = new_name()
    file = tmp_path / name
    file.write_bytes(LARGE)
    upload = begin(client, len(LARGE), name)
    send_and_vanish(server.host_and_port, upload, 0, LARGE[: 3 * MIB], len(LARGE))

    url = f"http://{urlsplit(server.url).netloc}{upload}"
    wait_for_offset(client, upload, 3 * MIB)
    offset = str(3 * MIB)
    run = subprocess.run(
        ["curl", "-sS", "--fail-with-body", "-C", offset, "-T", str(file), url],
        capture_output=True,
        timeout=60,
        env={**os.environ, "NO_PROXY": "*"},
    )
    assert run.returncode == 0, run
    assert b'"state":"stored"' in run.stdout
    assert is_stored(client, name, LARGE)


def test_unfinished_uploads_expire(tmp_path: Path) -> None:
    """An upload idle for too long is gone with its bytes, and makes room for others."""
    with live_server(tmp_path / "data", "--upload-idle-hours", "0.0001", "--max-open-uploads", "1") as server:
        with server.client() as client:
            upload = begin(client, len(SMALL), new_name())
            patch(client, upload, 0, SMALL[:100])
            while client.head(upload).status_code != 410:
                pass
            begin(client, len(SMALL), new_name())

        assert not (server.data / "staging" / (upload.rpartition("/")[2] + ".part")).exists()


@pytest.mark.parametrize("broken", ["bytes", "checksum"])
def test_what_is_begun_with_its_bytes_and_refused_leaves_nothing(
    server: LiveServer, client: httpx2.Client, broken: str
) -> None:
    """Its URL was never sent, so no client could resume it."""
    before = {path.suffix for path in (server.data / "staging").iterdir() if path.suffix != ".upload"}
    described_so = described(filename=new_name(), profile="laptop", type="FULL")
    about = {"Upload-Length": str(len(SMALL)), "Upload-Metadata": described_so}
    body = SMALL[:-20] + bytes(20) if broken == "bytes" else SMALL
    wrong = {"Upload-Checksum": f"sha1 {base64.b64encode(bytes(20)).decode()}"} if broken == "checksum" else {}

    answer = client.post(UPLOADS, content=body, headers={**BYTES, **about, **wrong})

    assert answer.status_code == {"bytes": 422, "checksum": 460}[broken]
    assert "location" not in answer.headers
    assert {path.suffix for path in (server.data / "staging").iterdir() if path.suffix != ".upload"} == before
