"""Resumable uploads whose every request comes to another of three servers."""

from __future__ import annotations

import base64
import gc
import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tusclient.client import TusClient

from tests.support.archives import digests_of, make_targz
from tests.support.object_stores import ObjectStore
from tests.support.postgres import Postgres
from tests.support.replicas import Replicas, replicas

MIB = 1 << 20
CONTENT = make_targz({"noise": random.Random(9).randbytes(10 * MIB)})
SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, seaweedfs: ObjectStore, postgres: Postgres) -> Iterator[Replicas]:
    with replicas(tmp_path_factory.mktemp("replicas"), seaweedfs, postgres, 3) as running:
        yield running


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    file = tmp_path / "backups" / "FULL" / "full.tar.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    return file


def is_stored(three: Replicas, profile: str) -> bool:
    """All servers have it, and give back its bytes."""
    path = f"/api/v1/profiles/{profile}/archives/FULL/full.tar.gz"
    answers = []
    for server in three.each:
        with server.client() as client:
            answers.append(client.get(path))
    return all(answer.status_code == 200 and answer.content == CONTENT for answer in answers)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("seed", range(4))
def test_tuspy(three: Replicas, archive: Path, seed: int) -> None:
    """In chunks of any size, with and without checksums."""
    drawn = random.Random(seed)
    profile, chunk = f"tuspy-{seed}", drawn.randrange(MIB // 4, 3 * MIB)
    about = {"filename": "full.tar.gz", "profile": profile, "type": "FULL"}
    with archive.open("rb") as file:
        uploader = TusClient(f"{three.url}/api/v1/uploads").uploader(
            file_stream=file, chunk_size=chunk, metadata=about, upload_checksum=bool(seed % 2)
        )
        uploader.upload()
    gc.collect()

    assert is_stored(three, profile)


@pytest.mark.parametrize("chunk", [MIB, 3 * MIB])
@pytest.mark.parametrize("parallel", [1, 3])
def test_tus_js_client(three: Replicas, archive: Path, tus_js: Path, chunk: int, parallel: int) -> None:
    """One after the other, and in three partial uploads at once."""
    profile = f"tus-js-{chunk}-{parallel}"
    told = {
        "file": str(archive),
        "endpoint": f"{three.url}/api/v1/uploads",
        "metadata": {"filename": "full.tar.gz", "profile": profile, "type": "FULL"},
        "chunkSize": chunk,
        "parallelUploads": parallel,
    }
    done = subprocess.run(
        ["node", str(tus_js / "upload.js"), json.dumps(told)], capture_output=True, text=True, timeout=240, check=False
    )

    assert done.stderr == ""
    assert json.loads(done.stdout)["archive"].endswith("/full.tar.gz")
    assert is_stored(three, profile)


def test_the_upload_script(three: Replicas, archive: Path) -> None:
    """With nothing but a shell and curl."""
    ran = subprocess.run(
        ["sh", str(SCRIPTS / "upload.sh"), "script", "--resume"],
        env={
            **os.environ,
            "SERVER_URL": three.url,
            "BACKUP_DIR": str(archive.parents[1]),
            "RESUME_OVER": "1000000",
            "RESUME_PAUSE": "0",
            "NO_PROXY": "*",
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert is_stored(three, "script")


def test_an_upload_goes_on_when_its_server_was_killed(three: Replicas) -> None:
    """What was acknowledged is there at the others; the rest is sent to them."""
    first, second, _ = three.each
    digests = digests_of(CONTENT)
    half = len(CONTENT) // 2
    tus = {"Tus-Resumable": "1.0.0"}
    with first.client() as client:
        about = f"filename {_base64('full.tar.gz')},profile {_base64('killed')},type {_base64('FULL')}"
        begun = client.post(
            "/api/v1/uploads", headers={**tus, "Upload-Length": str(len(CONTENT)), "Upload-Metadata": about}
        )
        place = begun.headers["location"].partition("/api/")[2]
        sent = {**tus, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        assert client.patch(f"/api/{place}", headers=sent, content=CONTENT[:half]).status_code == 204
    first.process.kill()
    first.process.wait()

    with second.client() as client:
        told = client.head(f"/api/{place}", headers=tus)
        assert int(told.headers["upload-offset"]) == half
        ended = client.patch(
            f"/api/{place}", headers={**sent, "Upload-Offset": str(half)}, content=CONTENT[half:], timeout=120
        )
        assert ended.status_code == 204, ended.text
        found = client.get("/api/v1/profiles/killed/archives/FULL/full.tar.gz")
        assert digests_of(found.content) == digests


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
