"""The history of a path over archives of joined dumps: each dump counts in order, and only the result matters."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.desk import Desk

Told = list[tuple[str, str]]


def dumped(desk: Desk, *nights: str, form: str) -> bytes:
    """One dump of ``src`` after each of *nights*, all with one snapshot file, joined by tar."""
    snapshot = desk.place / "snapshot"
    parts: list[Path] = []
    for number, commands in enumerate(nights):
        desk.do(commands)
        parts.append(desk.place / f"{number}.tar")
        command = ["tar", f"--format={form}", "-cf", str(parts[-1]), f"--listed-incremental={snapshot}", "src"]
        subprocess.run(command, cwd=desk.live, check=True, capture_output=True)
        desk.do("true")
    for other in parts[1:]:
        subprocess.run(["tar", "--concatenate", f"--file={parts[0]}", str(other)], check=True)
    return gzip.compress(parts[0].read_bytes())


def put(desk: Desk, type: str, *nights: str, form: str = "gnu", proven: bool = True) -> None:
    snapshot, said = desk.place / "snapshot", {}
    if type == "FULL":
        snapshot.unlink(missing_ok=True)
    else:
        said["Tarkeep-Snapshot-Before"] = hashlib.sha256(snapshot.read_bytes()).hexdigest()
    content = dumped(desk, *nights, form=form)
    said["Tarkeep-Snapshot-After"] = hashlib.sha256(snapshot.read_bytes()).hexdigest()
    answer = desk.put(type, content, headers=said if proven else {})
    assert answer.status_code == 201, answer.text


def told(desk: Desk, path: str) -> Told:
    return [(one["event"], one["archive"]["type"]) for one in desk.get("history", path=path)["versions"]]


BEGIN = "mkdir -p src/d; echo a >src/a; echo x >src/d/x"


CASES: dict[str, tuple[Sequence[Sequence[str]], dict[str, Told]]] = {
    "unchanged since the first dump": (
        [[BEGIN, "echo n >src/n"], ["echo m >src/m"]],
        {"src/a": [("appeared", "FULL")], "src/n": [("appeared", "FULL")], "src/m": [("appeared", "INC")]},
    ),
    "gone in the last": (
        [[BEGIN, "rm src/a"], ["echo a >src/a", "rm src/a; rm -r src/d"]],
        {"src/a": [], "src/d/x": [("appeared", "FULL"), ("deleted", "INC")]},
    ),
    "gone and back": (
        [[BEGIN], ["rm src/a", "echo again >src/a"]],
        {"src/a": [("appeared", "FULL"), ("changed", "INC")], "src/d/x": [("appeared", "FULL")]},
    ),
    "renamed twice in one": (
        [[BEGIN], ["mv src/d src/e", "mv src/e src/f", "echo n >src/n"]],
        {
            "src/d/x": [("appeared", "FULL"), ("deleted", "INC")],
            "src/e/x": [],
            "src/f/x": [("renamed", "INC")],
            "src/a": [("appeared", "FULL")],
        },
    ),
    "renamed, and another in its place": (
        [[BEGIN], ["mv src/d src/e", "mkdir src/d; echo other >src/d/x"], ["echo n >src/n", "echo o >src/n"]],
        {
            "src/d/x": [("appeared", "FULL"), ("changed", "INC")],
            "src/e/x": [("renamed", "INC")],
            "src/n": [("appeared", "INC")],
        },
    ),
    "there and back": (
        [[BEGIN, "mv src/d src/e"], ["mv src/e src/d", "mv src/d src/e"], ["echo m >src/m"]],
        {"src/d/x": [], "src/e/x": [("appeared", "FULL")], "src/m": [("appeared", "INC")]},
    ),
}


@pytest.mark.parametrize("form", ["gnu", "posix"])
@pytest.mark.parametrize("proven", [True, False], ids=["digests", "no digests"])
@pytest.mark.parametrize(("archives", "expected"), CASES.values(), ids=CASES)
def test_each_dump_has_its_turn(
    desk: Desk, archives: Sequence[Sequence[str]], expected: dict[str, Told], form: str, proven: bool
) -> None:
    """A later dump in an archive overrides what an earlier one says."""
    for number, nights in enumerate(archives):
        put(desk, "INC" if number else "FULL", *nights, form=form, proven=proven)

    assert {path: told(desk, path) for path in expected} == expected
    assert desk.given_back() == desk.seen()


def test_the_reported_history_agrees_with_the_tree(desk: Desk) -> None:
    """For every path that ever existed: its last version is in the tree, or it was deleted, or was never at a point."""
    put(desk, "FULL", "mkdir -p src/d/e; echo 1 >src/d/e/f; echo 2 >src/d/g; echo 3 >src/h", "rm src/h; mv src/d src/k")
    put(desk, "INC", "echo 4 >src/k/g; mkdir src/d; echo 5 >src/d/g", "rm -r src/d; mv src/k/e src/e")
    put(desk, "DIFF", "echo 6 >src/e/f")
    tree = {entry["path"] for entry in desk.get("tree", recursive="true")["entries"]}

    for path in ("src/h", "src/d/g", "src/d/e/f", "src/k/g", "src/k/e/f", "src/e/f", "src/e", "src/k", "src/d", "src"):
        versions = told(desk, path)
        assert (bool(versions) and versions[-1][0] != "deleted") is (path in tree), (path, versions)
    assert tree == {path.decode() for path in desk.seen()}
