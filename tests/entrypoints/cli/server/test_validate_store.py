"""``tarkeep validate-store``: each promise and whether it is kept, and nothing left where it was tried."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from tarkeep.domain.usecases.keeping.store_promises import PROMISES
from tarkeep.domain.usecases.keeping.validate_store import ValidateStore
from tarkeep.entrypoints.cli.server.validate_store import told
from tarkeep.entrypoints.cli.terminal.output import Output
from tests.support.faulty import Fault, FaultyStore
from tests.support.server import live_server


def validate_store(url: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TARKEEP_")}
    return subprocess.run(
        [sys.executable, "-m", "tarkeep", "validate-store", url],
        cwd=cwd,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_directory_keeps_every_promise_and_is_as_before(tmp_path: Path) -> None:
    """A line for each promise, and the sum; what lies there is not touched."""
    (tmp_path / "there before").write_text("mine")

    ran = validate_store(f"file://{tmp_path}", tmp_path)

    *lines, summary = ran.stdout.splitlines()
    assert lines == [f"ok      {promise.sentence}" for promise in PROMISES]
    assert summary == f"file://{tmp_path}: {len(PROMISES)} of {len(PROMISES)} promises kept"
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["there before"]


def test_a_server_may_be_running_there(tmp_path: Path) -> None:
    """Its archives stay what they were, and it answers as before."""
    with live_server(tmp_path / "data") as server, server.client() as client:
        before = sorted(path.name for path in server.data.iterdir())

        ran = validate_store(f"file:{server.data}", tmp_path)

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
    ran = validate_store("file:///sys", tmp_path)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("tarkeep: /sys cannot be used: ")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///no/such/place", "there is no directory /no/such/place; is its disk mounted?"),
        ("s3://bucket", "this is not the URL of a store; use file:///PATH"),
        ("file:somewhere", "this is not the URL of a store; use file:///PATH"),
        ("/srv/backups", "this is not the URL of a store; use file:///PATH"),
    ],
)
def test_what_is_no_store_is_wrong_use(url: str, said: str, tmp_path: Path) -> None:
    ran = validate_store(url, tmp_path)

    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", f"tarkeep: {url}: {said}\n")
    assert list(tmp_path.iterdir()) == []
