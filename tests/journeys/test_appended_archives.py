"""
Archives that were put behind each other, by cat or by tar, and members that come twice: what tar does with them.

``cat a.tar.gz b.tar.gz`` is a whole gzip of two tars, of which tar reads the first. ``tar --concatenate``, ``--append``
and ``--update`` make one tar of which each member counts in turn, and the last of a name is what is there in the end.
"""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.server import LiveServer, live_server
from tests.support.tar_oracle import look_at


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("data") / "data") as server:
        yield server


@pytest.fixture
def profile(tmp_path: Path) -> str:
    return tmp_path.name


@pytest.fixture
def client(server: LiveServer) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


def tar(*arguments: str, folder: Path) -> None:
    subprocess.run(["tar", *arguments], cwd=folder, check=True, capture_output=True)


def put(client: httpx2.Client, profile: str, content: bytes) -> httpx2.Response:
    return client.put(f"/api/v1/profiles/{profile}/archives/FULL/full.tar.gz", content=content)


def extracted(tar_bytes: bytes, into: Path, *options: str) -> dict[bytes, tuple[str, bytes]]:
    into.mkdir()
    subprocess.run(
        ["tar", "--extract", "--file=-", *options], cwd=into, input=tar_bytes, check=True, capture_output=True
    )
    return look_at(into)


@pytest.mark.parametrize("listings", [True, False])
def test_an_archive_behind_another_is_told(client: httpx2.Client, tmp_path: Path, listings: bool, profile: str) -> None:
    """When it is sent, by its point and by its plan; what is shown and given back is what tar reads."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(name)
        options = [f"--listed-incremental=snapshot_{name}"] if listings else []
        tar("-czf", f"{name}.tar.gz", *options, name, folder=tmp_path)
    both = b"".join((tmp_path / f"{name}.tar.gz").read_bytes() for name in ("a", "b"))
    base = f"/api/v1/profiles/{profile}"

    answer = put(client, profile, both)
    again = put(client, profile, both)

    told = "another archive follows the end of this one, 10240 bytes, which tar does not read"
    assert (answer.status_code, again.status_code) == (201, 200)
    assert [warning[: len(told)] for warning in answer.json()["warnings"]] == [told]
    assert [warning[: len(told)] for warning in again.json()["warnings"]] == [told]
    (point,) = client.get(f"{base}/points").json()["points"]
    assert [(doubt["code"], doubt["detail"][: len(told)]) for doubt in point["doubts"]] == [("after-end", told)]
    assert any(told in warning for warning in client.get(f"{base}/plan").json()["warnings"])
    assert [entry["path"] for entry in client.get(f"{base}/tree").json()["entries"]] == ["a"]
    restored = extracted(client.get(f"{base}/restore.tar").content, tmp_path / "restored")
    assert restored == extracted(both, tmp_path / "by tar", "--gzip")


def test_dirt_behind_an_archive_is_told(client: httpx2.Client, tmp_path: Path, profile: str) -> None:
    """In other words, by both ways of sending; padding is none."""
    (tmp_path / "a").write_text("a")
    tar("-cf", "a.tar", "a", folder=tmp_path)
    whole = (tmp_path / "a.tar").read_bytes()

    padded = put(client, f"{profile}-padded", gzip.compress(whole + bytes(100_000)))
    answer = client.post(
        "/upload",
        data={"type": "full", "profile": profile},
        files={"file": ("full.tar.gz", gzip.compress(whole + b"dirt" * 10))},
    )

    assert "warnings" not in padded.json()
    told = "behind its end follow 40 bytes that are neither padding nor a tar; tar does not read them"
    assert answer.json()["warnings"] == [told]
