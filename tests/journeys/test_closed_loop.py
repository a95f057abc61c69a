"""Night after night: whatever is renamed, excluded or included again, a good backup restores to the directory."""

from __future__ import annotations

import fnmatch
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.histories import History, Step
from tests.support.machine import Machine
from tests.support.server import LiveServer, live_server
from tests.support.tar_oracle import look_at

HISTORIES = int(os.environ.get("TARKEEP_TEST_NIGHTS", "6"))  # in the fifth, tar forgets files
NIGHTS = 4
PATTERNS = ("a", "b*", "c", "d e", "n*")
GROWING = ("write", "make", "symlink")
CHANGING = ("move", "move", "replace", "swap", "swap", "rotate", "write", "change", "remove", "move-file", "make")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("nights") / "data") as running:
        yield running


@pytest.mark.parametrize("number", range(HISTORIES))
def test_what_a_good_night_leaves_is_the_directory(server: LiveServer, tmp_path: Path, number: int) -> None:
    """
    After every backup that exits with 0, the newest point has everything that is not excluded, and nothing else.

    The rule chooses the type; excludes change on every other night, and directories are renamed on all nights.
    """
    rng = random.Random(number)
    history, machine, profile = History(tmp_path), Machine(tmp_path, server.url), f"nights-{number}"
    history.go_through(drawn(rng, GROWING, 14))
    excluded: list[str] = []
    for night in range(NIGHTS):
        if rng.random() < 0.5:
            excluded = rng.sample(PATTERNS, rng.randrange(3))
        options = [word for pattern in excluded for word in ("--exclude", pattern)]
        ran = machine.run("backup", profile, str(history.root), *options)
        assert ran.returncode == 0, ran.stderr

        back = tmp_path / "back"
        restored = machine.run("restore", profile, "--into", str(back), "--check")
        assert restored.returncode == 0, restored.stdout + restored.stderr
        assert below(back / "root") == kept(below(history.root), excluded), f"night {night}"
        shutil.rmtree(back)
        history.go_through(drawn(rng, CHANGING, rng.randrange(1, 6)))


def drawn(rng: random.Random, kinds: tuple[str, ...], count: int) -> list[Step]:
    return [(rng.choice(kinds), rng.randrange(12), rng.randrange(12), rng.randrange(12)) for _ in range(count)]


def below(root: Path) -> dict[bytes, tuple[str, bytes]]:
    return look_at(root) if root.exists() else {}


def kept(live: dict[bytes, tuple[str, bytes]], excluded: list[str]) -> dict[bytes, tuple[str, bytes]]:
    """The part of *live* that no pattern matches, neither a name nor a directory above it."""

    def is_excluded(path: bytes) -> bool:
        return any(fnmatch.fnmatchcase(part, pattern) for part in os.fsdecode(path).split("/") for pattern in excluded)

    return {path: look for path, look in live.items() if not is_excluded(path)}
