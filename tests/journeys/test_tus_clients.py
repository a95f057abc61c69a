"""Third-party tus clients and scripts, over a line that breaks."""

from __future__ import annotations

import gc
import os
import random
import select
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed

from tests.support.archives import make_targz
from tests.support.cutting_proxy import CuttingProxy, Fault, Kind
from tests.support.server import LiveServer, live_server

MIB = 1 << 20
CONTENT = make_targz({"noise": random.Random(7).randbytes(10 * MIB)})
SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    # tuspy waits for ever, so the server must notice a stall
    impatient = ("--body-seconds", "0.5", "--header-seconds", "0.5")
    with live_server(tmp_path_factory.mktemp("tus") / "data", *impatient) as running:
        yield running


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    file = tmp_path / "backups" / "FULL" / "full.tar.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    return file


def is_stored(server: LiveServer, profile: str) -> bool:
    with server.client() as client:
        answer: httpx2.Response = client.get(f"/api/v1/profiles/{profile}/archives/FULL/full.tar.gz")
        return answer.status_code == 200 and answer.content == CONTENT


@pytest.mark.parametrize("of_answers", [False, True], ids=["requests", "answers"])
@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.value)
def test_the_line_breaks_as_set(kind: Kind, of_answers: bool) -> None:
    """The proxy passes that many bytes; then both ends read an end, or a reset, or nothing until it is released."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        CuttingProxy(listener.getsockname(), [Fault(kind, 5, of_answers)]) as proxy,
        socket.create_connection(proxy.host_and_port, timeout=30) as client,
    ):
        server, _ = listener.accept()
        server.settimeout(30)
        with server:
            sender, receiver = (server, client) if of_answers else (client, server)
            sender.sendall(b"hello, world")
            assert receiver.recv(5, socket.MSG_WAITALL) == b"hello"
            if kind is Kind.STALL:
                assert proxy.has_stalled.wait(30)
                receiver.sendall(b"?")
                assert select.select([client, server], [], [], 0.1)[0] == []
                proxy.release()
                assert receiver.recv(7, socket.MSG_WAITALL) == b", world"
                assert sender.recv(1) == b"?"
            elif kind is Kind.RESET:
                for end in (client, server):
                    with pytest.raises(ConnectionResetError):
                        end.recv(1)
            else:
                assert (client.recv(1), server.recv(1)) == (b"", b"")


# after an error, tuspy leaves its connection to the garbage collector, so that is called before the test ends
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("checksum", [False, True], ids=["plain", "sha1"])
@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.value)
@pytest.mark.parametrize("seed", range(2))
def test_tuspy_resumes_over_a_bad_line(
    server: LiveServer, archive: Path, seed: int, kind: Kind, checksum: bool
) -> None:
    """In chunks, from the URL alone after each fault, with and without checksums, until the archive is stored."""
    drawn = random.Random(f"{seed} {kind} {checksum}")
    profile = f"tuspy-{seed}-{kind.value}-{checksum}"
    about = {"filename": "full.tar.gz", "profile": profile, "type": "FULL"}
    faults = Fault.drawn(drawn, kind, 1 if kind is Kind.STALL else 4, MIB)
    with archive.open("rb") as file, CuttingProxy(server.host_and_port, faults) as proxy:
        address = f"{proxy.url}/api/v1/uploads"
        chunk = drawn.randrange(MIB, 3 * MIB)
        url = ""
        done = 0
        for _ in range(100):
            try:
                uploader = TusClient(address).uploader(
                    file_stream=file, chunk_size=chunk, metadata=about, url=url or None, upload_checksum=checksum
                )
                url = url or uploader.create_url()
                uploader.set_url(url)
                assert uploader.offset >= done
                done = uploader.offset
                uploader.upload()
                break
            except (TusCommunicationError, TusUploadFailed):
                continue
    gc.collect()

    assert proxy.made_cuts == len(faults)
    assert is_stored(server, profile)


def test_a_stall_that_ends_in_time_costs_nothing(archive: Path) -> None:
    """Neither end has hung up: the very same request continues and completes the upload."""
    about = {"filename": "full.tar.gz", "profile": "tuspy-stalled", "type": "FULL"}
    with (
        live_server(archive.parents[2] / "patient") as patient,
        archive.open("rb") as file,
        CuttingProxy(patient.host_and_port, [Fault(Kind.STALL, MIB)]) as proxy,
        ThreadPoolExecutor(1) as beside,
    ):
        uploader = TusClient(f"{proxy.url}/api/v1/uploads").uploader(file_stream=file, metadata=about)
        uploading = beside.submit(uploader.upload)
        assert proxy.has_stalled.wait(30)
        assert not uploading.done()
        proxy.release()
        uploading.result(30)

        assert is_stored(patient, "tuspy-stalled")


def test_the_upload_script_resumes_over_cuts(server: LiveServer, archive: Path) -> None:
    """With nothing but a shell and curl."""
    with CuttingProxy(server.host_and_port, [3 * MIB, 2 * MIB, 4 * MIB]) as proxy:
        ran = subprocess.run(
            ["sh", str(SCRIPTS / "upload.sh"), "script", "--resume"],
            env={
                **os.environ,
                "SERVER_URL": proxy.url,
                "BACKUP_DIR": str(archive.parents[1]),
                "RESUME_PAUSE": "0",
                "NO_PROXY": "*",
            },
            capture_output=True,
            text=True,
            timeout=120,
        )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "FULL/full.tar.gz: stored" in ran.stdout
    assert proxy.made_cuts == 3
    assert is_stored(server, "script")
