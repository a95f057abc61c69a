"""tus clients and scripts that others wrote, over a line that breaks."""

from __future__ import annotations

import gc
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed

from tests.support.archives import make_targz
from tests.support.cutting_proxy import CuttingProxy
from tests.support.server import LiveServer, live_server

MIB = 1 << 20
CONTENT = make_targz({"noise": random.Random(7).randbytes(10 * MIB)})
SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("tus") / "data") as running:
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


# tuspy leaves its connection to the garbage collector after an error, which is therefore called before the test ends
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("checksum", [False, True], ids=["plain", "sha1"])
@pytest.mark.parametrize("seed", range(3))
def test_tuspy_resumes_over_cuts(server: LiveServer, archive: Path, seed: int, checksum: bool) -> None:
    """In chunks, from the URL alone after each cut, with and without checksums, until the archive is stored."""
    drawn = random.Random(seed)
    profile = f"tuspy-{seed}-{checksum}"
    about = {"filename": "full.tar.gz", "profile": profile, "type": "FULL"}
    cuts = [drawn.randrange(100_000, MIB) for _ in range(4)]
    with archive.open("rb") as file, CuttingProxy(server.host_and_port, cuts) as proxy:
        address = f"{proxy.url}/api/v1/uploads"
        chunk = drawn.randrange(MIB, 3 * MIB)
        first = TusClient(address).uploader(
            file_stream=file, chunk_size=chunk, metadata=about, upload_checksum=checksum
        )
        url = first.create_url()
        done = 0
        for _ in range(100):
            try:
                uploader = TusClient(address).uploader(
                    file_stream=file, chunk_size=chunk, url=url, upload_checksum=checksum
                )
                assert uploader.offset >= done
                done = uploader.offset
                uploader.upload()
                break
            except (TusCommunicationError, TusUploadFailed):
                continue
    gc.collect()

    assert proxy.made_cuts == 4
    assert is_stored(server, profile)


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
