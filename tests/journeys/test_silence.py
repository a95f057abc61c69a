"""
What an archive is silent about: roots that are not named again, folders dumped alone, files named as arguments.

The oracle is tar: it extracts the archives in order, and does not touch what an archive is silent about.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, event, given, seed, settings
from hypothesis import strategies as st

from tarkeep.domain.comparing.fit import Agreement
from tests.support.histories import put_together
from tests.support.members import fit, merge
from tests.support.tar_oracle import look_at, members_of

HISTORIES = int(os.environ.get("TARKEEP_TEST_HISTORIES", "200"))
PER_TEST = 25

FOLDERS = ("a", "a/x", "a/x/deep", "b", "b/y", "c")
FILES = tuple(f"{folder}/{name}" for folder in (*FOLDERS, "") for name in ("1", "2"))
NAMED = ("a", "a/x", "b", "b/y/1", "c", "1", "2", "a/1")
"""The possible arguments of tar."""

changes = st.lists(
    st.tuples(st.sampled_from(["write", "write", "write", "delete", "mkdir", "rmdir"]), st.integers(0, 99))
)
dumps = st.lists(st.tuples(changes, st.sets(st.sampled_from(NAMED), min_size=1)), min_size=2, max_size=6)


class Live:
    """A directory that changes."""

    def __init__(self, place: Path) -> None:
        self.root = place / "live"
        for folder in FOLDERS:
            (self.root / folder).mkdir(parents=True)
        for number, file in enumerate(FILES):
            self.write(file.lstrip("/"), number)

    def write(self, path: str, number: int) -> None:
        file = self.root / path
        if file.parent.is_dir() and not file.is_dir():
            file.write_text(f"{path} {number}")

    def go_through(self, changes: list[tuple[str, int]]) -> None:
        for what, number in changes:
            folder, file = FOLDERS[number % len(FOLDERS)], FILES[number % len(FILES)].lstrip("/")
            if what == "write":
                self.write(file, number)
            elif what == "delete":
                (self.root / file).unlink(missing_ok=True)
            elif what == "rmdir" and folder != "a":
                shutil.rmtree(self.root / folder, ignore_errors=True)
            elif what == "mkdir" and (self.root / folder).parent.is_dir():
                (self.root / folder).mkdir(exist_ok=True)

    def dump(self, file: Path, snapshot: Path, named: list[str]) -> bytes:
        """An archive of those of *named* that exist."""
        command = ["tar", "-c", f"--file={file}", f"--listed-incremental={snapshot}", "--no-check-device"]
        there = [name for name in named if (self.root / name).exists()]
        subprocess.run([*command, *there], cwd=self.root, check=True, capture_output=True)
        return file.read_bytes()


def extracted(archives: list[bytes], place: Path) -> dict[bytes, tuple[str, bytes]]:
    into = place / "into"
    into.mkdir()
    for archive in archives:
        command = ["tar", "--extract", "--listed-incremental=/dev/null", "--file=-"]
        subprocess.run(command, cwd=into, input=archive, check=True, capture_output=True)
    return look_at(into)


@pytest.mark.parametrize("part", range(-(-HISTORIES // PER_TEST)))
def test_what_is_merged_is_what_tar_leaves(part: int) -> None:
    """Names, types and contents, for every point that fits and that tar is trusted with."""

    @settings(
        max_examples=PER_TEST,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @seed(part)
    @given(dumps)
    def each(drawn: list[tuple[list[tuple[str, int]], set[str]]]) -> None:
        with tempfile.TemporaryDirectory() as at:
            place = Path(at)
            live = Live(place)
            archives: list[bytes] = []
            members = []
            for number, (changes, named) in enumerate(drawn):
                live.go_through(changes)
                wanted = sorted(named) if number else sorted({*named, "a", "b"})
                if not any((live.root / name).exists() for name in wanted):
                    return
                archives.append(live.dump(place / f"{number}.tar", place / "snapshot", wanted))
                members.append(members_of(archives[-1]))
                if number:
                    child, parent = members[-1], members[-2]
                    found = fit(partial(list, child), partial(list, parent), is_base=number == 1)
                    if found.verdict is Agreement.CONTRADICTS or not found.is_sound:
                        event("not all is there, or tar is not trusted")
                        return
                tree = merge([partial(list, one) for one in members], is_exact=True)
                if tree.losses:
                    event("not all is there")
                    return
                made = put_together(tree, list(zip(members, archives, strict=True)))
                assert made == extracted(archives, place)
                shutil.rmtree(place / "into")
                event(f"{number + 1} archives")

    each()
