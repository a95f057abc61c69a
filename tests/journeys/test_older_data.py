"""
A data directory of an earlier version: it opens, restores everything, and a rebuild gives the same catalog.

``older/before-the-folders.tar.gz`` was written by the last version with its modules in flat heaps: a FULL and two INCs
by GNU tar with a rename between them, a plain archive of another profile, a snapshot file, and an unfinished upload.
Moving code must not change any file format.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.support.server import live_server
from tests.support.tar_oracle import look_at

OLDER = Path(__file__).parent / "older" / "before-the-folders.tar.gz"
UPLOAD = "/api/v1/uploads/cb76a125-8e60-4d11-8f82-1bec2b56067a"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with tarfile.open(OLDER) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "data").chmod(0o700)
    return tmp_path / "data"


def kept(data: Path) -> dict[str, bytes]:
    """The files in the store."""
    return {str(file.relative_to(data)): file.read_bytes() for file in (data / "archives").rglob("*") if file.is_file()}


def test_it_opens_and_gives_everything_back(data: Path, tmp_path: Path) -> None:
    """Points with their evidence, each tree, the snapshot file, the upload that continues; no file is changed."""
    before = kept(data)
    # the upload was left on a day that moves further away; by default it would be over after one day
    with live_server(data, environment={"TARKEEP_UPLOAD_IDLE_HOURS": "1e6"}) as server, server.client() as client:
        points = client.get("/api/v1/profiles/web/points").json()["points"]
        trees = {}
        for point in points:
            label = f"{point['type']}/{point['name']}"
            into = tmp_path / point["name"]
            into.mkdir()
            given = client.get("/api/v1/profiles/web/restore.tar", params={"at": label}).content
            subprocess.run(["tar", "-xf", "-"], cwd=into, input=given, check=True)
            trees[label] = {path.decode(): content for path, (_, content) in look_at(into).items()}
        snapshot = client.get("/api/v1/profiles/web/archives/FULL/full.tar.gz/snapshot")
        offset = client.head(UPLOAD, headers={"Tus-Resumable": "1.0.0"}).headers["upload-offset"]
        others = client.get("/api/v1/archives", params={"profile": "other"}).json()["archives"]

    assert [(point["name"], point["evidence"], point["sound"]) for point in points] == [
        ("full.tar.gz", "proven", True),
        ("inc.tar.gz", "proven", True),
        ("inc2.tar.gz", "proven", True),
    ]
    assert trees["FULL/full.tar.gz"].keys() >= {"tree/docs/letter", "tree/docs/same", "tree/src/link"}
    assert trees["INC/inc.tar.gz"]["tree/src/code"] == b"code\nmore\n"
    assert trees["INC/inc.tar.gz"]["tree/papers/letter"] == b"letter\n"
    assert "tree/src/link" not in trees["INC/inc2.tar.gz"]
    assert trees["INC/inc2.tar.gz"]["tree/new"] == b"new\n"
    assert hashlib.sha256(snapshot.content).hexdigest() in before["archives/web/FULL/full.tar.gz.json"].decode()
    assert offset == "0"
    assert [one["name"] for one in others] == ["full_2026-11-04_02-00-00.tar.gz"]
    assert kept(data) == before


def test_its_catalog_is_what_a_rebuild_makes(data: Path) -> None:
    """Also a rebuild from the store alone; and its audit log is whole."""

    def run(*words: str) -> None:
        command = [sys.executable, "-m", "tarkeep", *words, "--data", str(data)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    run("rebuild", "--check")
    for file in data.glob("catalog.sqlite*"):
        file.unlink()
    run("rebuild")
    run("rebuild", "--check")
    run("audit", "verify")
