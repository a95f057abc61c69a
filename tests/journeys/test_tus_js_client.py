"""tus-js-client, the client for browsers and Node programs: every way to upload, and a bad line."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import make_targz
from tests.support.cutting_proxy import CuttingProxy, Fault, Kind
from tests.support.server import LiveServer, live_server

MIB = 1 << 20
CONTENT = make_targz({"noise": random.Random(8).randbytes(10 * MIB)})
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    # tus-js-client has no time limit, so the server must notice a stall
    impatient = ("--body-seconds", "0.5", "--header-seconds", "0.5")
    with live_server(tmp_path_factory.mktemp("tus-js") / "data", *impatient) as running:
        yield running


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("archive") / "full.tar.gz"
    file.write_bytes(CONTENT)
    return file


@pytest.fixture
def run(tus_js: Path, server: LiveServer, file: Path) -> Run:
    return Run(tus_js, server, file)


class Run:
    """Runs the upload script."""

    def __init__(self, folder: Path, server: LiveServer, file: Path) -> None:
        self._folder = folder
        self.server = server
        self._file = file

    def __call__(self, profile: str, *, base: str | None = None, **options: object) -> dict[str, Any]:
        """The script's report on an upload to *profile*, to the address *base* or the server's own."""
        told = {
            "file": str(self._file),
            "endpoint": f"{base or self.server.url}/api/v1/uploads",
            "metadata": {"filename": "full.tar.gz", "profile": profile, "type": "FULL"},
            **options,
        }
        done = subprocess.run(
            ["node", str(self._folder / "upload.js"), json.dumps(told)], capture_output=True, text=True, timeout=120
        )
        assert done.stderr == ""
        outcome = json.loads(done.stdout)
        assert isinstance(outcome, dict)
        return outcome

    def assert_stored(self, outcome: dict[str, Any], profile: str) -> None:
        """The response names the archive, whose SHA-256 is right as reported, as served and on the disk."""
        path = f"/api/v1/profiles/{profile}/archives/FULL/full.tar.gz"
        assert outcome.get("archive") == path, outcome
        with self.server.client() as client:
            served = client.get(path)
        stored = (self.server.data / "archives" / profile / "FULL" / "full.tar.gz").read_bytes()
        assert served.headers["etag"] == f'"{SHA256}"'
        assert hashlib.sha256(served.content).hexdigest() == hashlib.sha256(stored).hexdigest() == SHA256


def test_an_upload_in_chunks_is_stored(run: Run) -> None:
    """Created, then sent piece by piece; the last response names the archive."""
    outcome = run("chunks")

    run.assert_stored(outcome, "chunks")
    assert outcome["requests"] == [
        ["POST", 201, 0],
        *(["PATCH", 204, min(end, len(CONTENT))] for end in range(3 * MIB, len(CONTENT) + 3 * MIB, 3 * MIB)),
    ]


def test_a_paused_upload_is_resumed_by_its_url(run: Run) -> None:
    """It is broken off in the middle of a request, and continued by another process that knows only the URL."""
    paused = run("paused", pauseAfter=4 * MIB)
    assert paused["paused"]
    outcome = run("paused", uploadUrl=paused["url"])

    run.assert_stored(outcome, "paused")
    method, status, offset = outcome["requests"][0]
    assert (method, status) == ("HEAD", 200)
    assert 3 * MIB <= offset < len(CONTENT)
    assert "POST" not in {method for method, _, _ in outcome["requests"]}


@pytest.mark.parametrize("chunk", [3 * MIB, 20 * MIB], ids=["part", "all"])
def test_bytes_come_with_the_creation(run: Run, chunk: int) -> None:
    """The first chunk, or all: then there is one request, and its response names the archive."""
    profile = f"creation-{chunk}"
    outcome = run(profile, uploadDataDuringCreation=True, chunkSize=chunk)

    run.assert_stored(outcome, profile)
    assert outcome["requests"][0] == ["POST", 201, min(chunk, len(CONTENT))]
    assert (len(outcome["requests"]) == 1) == (chunk > len(CONTENT))


def test_a_length_may_be_declared_at_the_end(run: Run) -> None:
    """As for a stream of a length that the client does not know before its end."""
    outcome = run("deferred", uploadLengthDeferred=True)

    run.assert_stored(outcome, "deferred")


def test_a_client_that_can_only_post_uploads(run: Run) -> None:
    """As behind a proxy that does not let PATCH through."""
    outcome = run("post", overridePatchMethod=True)

    run.assert_stored(outcome, "post")
    assert {method for method, _, _ in outcome["requests"]} == {"POST"}


def test_three_uploads_at_once_become_one_archive(run: Run) -> None:
    """Three concurrent partial uploads, concatenated in their order."""
    outcome = run("parallel", parallelUploads=3)

    run.assert_stored(outcome, "parallel")
    assert [method for method, _, _ in outcome["requests"]].count("POST") == 4


@pytest.mark.parametrize("parallel", [1, 3], ids=["single", "parallel"])
@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.value)
@pytest.mark.parametrize("seed", range(2))
def test_retries_end_well_over_a_bad_line(run: Run, seed: int, kind: Kind, parallel: int) -> None:
    """The client continues by itself after each fault, from the server's offset."""
    drawn = random.Random(f"{seed} {kind} {parallel}")
    profile = f"line-{seed}-{kind.value}-{parallel}"
    faults = Fault.drawn(drawn, kind, 1 if kind is Kind.STALL else 4, MIB)
    with CuttingProxy(run.server.host_and_port, faults) as proxy:
        outcome = run(profile, base=proxy.url, parallelUploads=parallel, retryDelays=[0] * 8)

    run.assert_stored(outcome, profile)
    assert proxy.made_cuts == len(faults)
