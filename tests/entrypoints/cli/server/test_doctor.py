"""``tarkeep doctor store``: each promise and whether it is kept, and nothing left where it was tried."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.adapters.s3.probing import PROBES, opened_bucket
from tarkeep.domain.usecases.keeping.store_promises import PROMISES
from tarkeep.domain.usecases.keeping.validate_store import ValidateStore
from tarkeep.entrypoints.cli.server.doctor import told
from tarkeep.entrypoints.cli.terminal.output import Output
from tests.support.faulty import Fault, FaultyStore
from tests.support.object_stores import ObjectStore, credentials, running_moto
from tests.support.server import live_server


def doctor(url: str | None, cwd: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TARKEEP_")}
    return subprocess.run(
        [sys.executable, "-m", "tarkeep", "doctor", "store", *([] if url is None else [url]), *options],
        cwd=cwd,
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_directory_keeps_every_promise_and_is_as_before(tmp_path: Path) -> None:
    """A line for each promise, and the sum; what lies there is not touched."""
    (tmp_path / "there before").write_text("mine")

    ran = doctor(f"file://{tmp_path}", tmp_path)

    *lines, summary = ran.stdout.splitlines()
    assert lines == [f"ok      {promise.sentence}" for promise in PROMISES]
    assert summary == f"file://{tmp_path}: {len(PROMISES)} of {len(PROMISES)} promises kept"
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["there before"]


def test_a_server_may_be_running_there(tmp_path: Path) -> None:
    """Its archives stay what they were, and it answers as before."""
    with live_server(tmp_path / "data") as server, server.client() as client:
        before = sorted(path.name for path in server.data.iterdir())

        ran = doctor(f"file:{server.data}", tmp_path)

        assert ran.returncode == 0, ran.stderr
        assert sorted(path.name for path in server.data.iterdir()) == before
        assert client.get("/readyz").status_code == 200
        assert client.get("/api/v1/profiles").json()["profiles"] == []


def test_a_broken_promise_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """The others are tried all the same, and the command ends with 1."""
    store = FaultyStore(fault=Fault("read", OSError(5, "Input/output error")))

    code = told("file:///srv", ValidateStore(lambda: nullcontext(store))(), Output(as_json=False, quiet=False))

    lines = capsys.readouterr().out.splitlines()
    assert code == 1
    assert lines[:2] == [
        "failed  A stored archive is listed, and read byte for byte.",
        "        OSError: [Errno 5] Input/output error",
    ]
    assert "ok      A side-car is replaced only by a caller that knows its present content." in lines
    assert lines[-1] == "file:///srv: 5 of 18 promises kept"


def test_what_cannot_be_published_is_told_of_every_promise(capsys: pytest.CaptureFixture[str]) -> None:
    """A store that takes nothing keeps none, and no trial waits for another."""
    store = FaultyStore(fault=Fault("publish", PermissionError(13, "Permission denied")))

    assert told("file:///srv", ValidateStore(lambda: nullcontext(store))(), Output(as_json=False, quiet=False)) == 1
    assert capsys.readouterr().out.count("Permission denied") >= 16


def test_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    """The system's own folder takes no file, from root neither."""
    ran = doctor("file:///sys", tmp_path)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("tarkeep: /sys cannot be used: ")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///no/such/place", "there is no directory /no/such/place; is its disk mounted?"),
        ("memory:", "this is not the URL of a store; use file:///PATH or s3://BUCKET/PREFIX"),
        ("file:somewhere", "this is not the URL of a store; use file:///PATH or s3://BUCKET/PREFIX"),
        ("/srv/backups", "this is not the URL of a store; use file:///PATH or s3://BUCKET/PREFIX"),
    ],
)
def test_what_is_no_store_is_wrong_use(url: str, said: str, tmp_path: Path) -> None:
    ran = doctor(url, tmp_path)

    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", f"tarkeep: {url}: {said}\n")
    assert list(tmp_path.iterdir()) == []


def test_without_a_url_it_is_the_store_of_the_settings(tmp_path: Path) -> None:
    """The data directory, or what --store names."""
    for name in ("data", "elsewhere"):
        (tmp_path / name).mkdir()

    ran = doctor(None, tmp_path, "--data", str(tmp_path / "data"))
    other = doctor(None, tmp_path, "--store", f"file://{tmp_path}/elsewhere")

    assert (ran.returncode, other.returncode) == (0, 0), ran.stderr + other.stderr
    assert ran.stdout.splitlines()[-1].startswith(f"file://{tmp_path}/data: ")
    assert other.stdout.splitlines()[-1].startswith(f"file://{tmp_path}/elsewhere: ")


def test_of_a_bucket_the_object_store_is_tried_first(seaweedfs: ObjectStore, tmp_path: Path) -> None:
    """Then the promises of the store in it; nothing is left there."""
    address = seaweedfs.address()
    url = seaweedfs.url(address)

    ran = doctor(url, tmp_path, "--s3-endpoint", seaweedfs.endpoint)

    *lines, summary = ran.stdout.splitlines()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert lines == [f"ok      {one.sentence}" for one in (*PROBES, *PROMISES)]
    assert summary == f"{url}: {len(lines)} of {len(lines)} promises kept"
    assert list(opened_bucket(address, RandomIds()).below("")) == []


def test_an_object_store_that_is_not_fit_is_not_tried_further(tmp_path: Path) -> None:
    """What it does instead is said, and the promises of a store in it are not tried."""
    with credentials(), running_moto() as moto:
        ran = doctor(moto.url(moto.address()), tmp_path, "--s3-endpoint", moto.endpoint)

    lines = ran.stdout.splitlines()
    assert (ran.returncode, ran.stderr) == (1, "")
    assert lines[-3:-1] == [
        "failed  Bytes that differ from their checksum are refused.",
        "        takes in bytes that differ from their checksum",
    ]
    assert lines[-1].endswith(f": {len(PROBES) - 1} of {len(PROBES)} promises kept")


def test_an_object_store_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with credentials():
        ran = doctor("s3://bucket/prefix", tmp_path, "--s3-endpoint", "http://127.0.0.1:1")

    assert (ran.returncode, ran.stdout) == (1, "")
    assert "cannot be reached" in ran.stderr
