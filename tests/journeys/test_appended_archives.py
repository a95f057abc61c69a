"""
Archives appended to each other, by cat or by tar, and members that occur twice: what tar does with them.

``cat a.tar.gz b.tar.gz`` is a whole gzip of two tars, and tar reads only the first. ``tar --concatenate``, ``--append``
and ``--update`` make one tar in which every member counts in order, and the last one of a name wins.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, event, given, seed, settings
from hypothesis import strategies as st

from tarkeep.domain.archives.archive import Lineage, Offer
from tarkeep.domain.chains.standing import DoubtKind
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tests.support.assembled import InMemory
from tests.support.histories import History, Step, below_root, steps
from tests.support.server import LiveServer, live_server
from tests.support.tar_oracle import look_at

TAKEN_FROM = datetime(2026, 1, 1, tzinfo=UTC)


def sha256_of(file: Path) -> str | None:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else None


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
def test_an_appended_archive_is_reported(client: httpx2.Client, tmp_path: Path, listings: bool, profile: str) -> None:
    """When it is sent, by its point and by its plan; what is shown and restored is what tar reads."""
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


def test_dirt_behind_an_archive_is_reported(client: httpx2.Client, tmp_path: Path, profile: str) -> None:
    """In other words than for an archive, by both ways of sending; padding is not reported."""
    (tmp_path / "a").write_text("a")
    tar("-cf", "a.tar", "a", folder=tmp_path)
    whole = (tmp_path / "a.tar").read_bytes()

    padded = put(client, f"{profile}-padded", gzip.compress(whole + bytes(100_000)))
    answer = client.post(
        "/upload",
        data={"type": "full", "profile": profile},
        files={"file": ("full.tar.gz", gzip.compress(whole + b"dirt" * 10))},
    )

    assert not padded.json().get("warnings")
    told = "its end is followed by 40 bytes, neither padding nor a tar, which tar does not read"
    assert answer.json()["warnings"] == [told]


def test_what_is_renamed_between_joined_dumps_is_no_loss(tmp_path: Path) -> None:
    """Also in the early verdict, which the list of points shows."""
    (tmp_path / "root" / "a").mkdir(parents=True)
    (tmp_path / "root" / "a" / "x").write_text("x")
    os.utime(tmp_path / "root" / "a" / "x", (0, 0))
    tar("-cf", "full.tar", "--listed-incremental=snapshot", "root", folder=tmp_path)
    (tmp_path / "root" / "a").rename(tmp_path / "root" / "b")
    tar("-cf", "inc.tar", "--listed-incremental=snapshot", "root", folder=tmp_path)
    tar("--concatenate", "--file=full.tar", "inc.tar", folder=tmp_path)
    tarkeep = InMemory().tarkeep
    id = ArchiveId("p", BackupType.FULL, "full.tar.gz")

    tarkeep.receive(Offer(id), [gzip.compress((tmp_path / "full.tar").read_bytes())])

    opened = tarkeep.open_point("p", id)
    assert not opened.tree.gaps
    assert opened.plan.point.is_restorable
    assert opened.plan.point.standing.seen.gaps == 0


@pytest.mark.parametrize("part", range(4))
def test_dumps_that_tar_joined_restore_as_they_would_apart(part: int) -> None:
    """A FULL and later dumps, some of them joined by tar: each point is the directory as of its last dump."""

    @seed(part)
    @settings(
        max_examples=6,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # shrinking takes too long, because each example waits for the clock
    )
    @given(
        steps(3, 14, growing=True),
        st.lists(st.tuples(st.booleans(), st.sampled_from([True, True, False]), steps(1, 5)), min_size=1, max_size=3),
    )
    def each(start: list[Step], further: list[tuple[bool, bool, list[Step]]]) -> None:
        with tempfile.TemporaryDirectory() as place:
            check_joined(History(Path(place)), start, further)

    each()


def check_joined(history: History, start: list[Step], further: list[tuple[bool, bool, list[Step]]]) -> None:
    snapshot = history.place / "snapshot"
    tarkeep = InMemory().tarkeep
    stored: list[Path] = []
    waiting: list[tuple[Path, str | None]] = []  # archives to join, each with the digest that it started from
    all_steps = [(False, False, start), *further]
    for number, (posix, _, changes) in enumerate(all_steps):
        history.go_through(changes)
        before = sha256_of(snapshot)
        waiting.append((history.dump(f"{number}.tar", snapshot, posix=posix), before))
        if number + 1 < len(all_steps) and all_steps[number + 1][1]:
            continue
        (first, began_from), *others = waiting
        for other, _ in others:
            tar("--concatenate", f"--file={first}", str(other), folder=history.place)
        waiting.clear()
        id = ArchiveId("p", BackupType.INC if stored else BackupType.FULL, f"{number}.tar.gz")
        stored.append(first)
        lineage = Lineage(None, began_from, sha256_of(snapshot))
        offer = Offer(id, taken_at=TAKEN_FROM + timedelta(days=number), lineage=lineage)
        tarkeep.receive(offer, [gzip.compress(first.read_bytes(), 1)])

        opened = tarkeep.open_point("p", id)
        if any(doubt.kind is DoubtKind.NOT_ARCHIVED for doubt in opened.plan.point.doubts) or opened.tree.gaps:
            event("tar did not archive what it should")
            continue
        seen = opened.plan.point.standing.seen  # worked out when the archive arrived
        assert (seen.lost, seen.gaps, seen.unseen) == ("", 0, "")
        target = history.place / "given"
        found = extracted(b"".join(tarkeep.restore_tar(opened)), target)
        shutil.rmtree(target)
        assert found == below_root(look_at(history.root))
        if tarkeep.make_plan(tarkeep.load_points("p"), id).plan.is_sound:
            event("sound" + (", joined" if others else ""))
            assert history.restored(stored) == found
