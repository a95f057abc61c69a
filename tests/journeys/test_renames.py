"""
Directories that are moved, rotated, replaced and deleted, below one root or several: what tar makes of its own records.

Deleted files are moved aside, so that no inode is reused, which tar takes for a rename. The live directory is the
oracle for the merged tree, and tar for whether tar may be trusted.
"""

from __future__ import annotations

import os
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
NAMES = "abc"

step = st.tuples(
    st.sampled_from(["write", "make", "move", "move", "move", "rotate", "swap", "delete"]),
    st.integers(0, 99),
    st.integers(0, 99),
    st.sampled_from(NAMES),
)
growth = st.lists(
    st.tuples(st.sampled_from(["write", "make"]), st.integers(0, 99), st.integers(0, 99), st.sampled_from(NAMES)),
    min_size=4,
    max_size=12,
)
nights = st.lists(st.lists(step, max_size=5), min_size=1, max_size=4)


class Live:
    """Directories below *roots*, and the files deleted from them."""

    def __init__(self, place: Path, roots: tuple[str, ...]) -> None:
        self.root, self.roots, self.aside = place / "live", roots, place / "aside"
        self.aside.mkdir()
        self._count = 0
        for root in roots:
            (self.root / root).mkdir(parents=True)

    def go_through(self, steps: list[tuple[str, int, int, str]]) -> None:
        for what, one, other, name in steps:
            folders = sorted(path for path in self.root.rglob("*") if path.is_dir())
            inner = [path for path in folders if path.parent != self.root]
            at = folders[one % len(folders)]
            if what == "write":
                self._count += 1
                (at / "f").write_text(f"{self._count}")
            elif what == "make":
                (at / name).mkdir(exist_ok=True)
            elif what == "rotate":
                self._rotate(at)
            elif inner:
                moved = inner[other % len(inner)]
                if what == "delete":
                    self._delete(moved)
                elif what == "move":
                    self._move(moved, at / name)
                elif at in inner:
                    self._swap(moved, at)

    def _rotate(self, within: Path) -> None:
        """The last one is deleted, each gets the name of the next, and a new first one is made."""
        self._delete(within / NAMES[-1])
        for old, new in zip(NAMES[-2::-1], NAMES[:0:-1], strict=True):
            if (within / old).is_dir():
                (within / old).rename(within / new)
        (within / NAMES[0]).mkdir()
        self._count += 1
        (within / NAMES[0] / "f").write_text(f"{self._count}")

    def _move(self, moved: Path, to: Path) -> None:
        if to != moved and moved not in to.parents and to not in moved.parents:
            self._delete(to)
            moved.rename(to)

    def _swap(self, one: Path, other: Path) -> None:
        if one != other and one not in other.parents and other not in one.parents:
            one.rename(self.aside / "swapped")
            other.rename(one)
            (self.aside / "swapped").rename(other)

    def _delete(self, path: Path) -> None:
        if path.is_dir():
            self._count += 1
            path.rename(self.aside / f"{self._count}")

    def dump(self, file: Path, snapshot: Path) -> bytes:
        command = ["tar", "-c", f"--file={file}", f"--listed-incremental={snapshot}", "--no-check-device", *self.roots]
        subprocess.run(command, cwd=self.root, check=True, capture_output=True)
        return file.read_bytes()


def extracted(archives: list[bytes], into: Path) -> tuple[dict[bytes, tuple[str, bytes]], bool]:
    """What tar extracts, and whether it complained."""
    into.mkdir()
    complained = False
    for archive in archives:
        command = ["tar", "--extract", "--listed-incremental=/dev/null", "--file=-"]
        complained |= subprocess.run(command, cwd=into, input=archive, capture_output=True, check=False).returncode != 0
    return look_at(into), complained


NIGHTS = {
    "rotated, with a folder in one": [
        "mkdir -p src/a/d src/b; echo 1 >src/a/d/g; echo 2 >src/a/f; echo 3 >src/b/f",
        "mv src/b src/c; mv src/a src/b",
        "echo 4 >src/b/d/h",
    ],
    "rotated, with folders of one name in both": [
        "mkdir -p src/a/d src/b/d; echo 1 >src/a/d/g; echo 2 >src/b/d/g",
        "mv src/b src/c; mv src/a src/b",
    ],
    "rotated, with deeper folders": [
        "mkdir -p src/a/d/e src/b src/c; echo 1 >src/a/d/e/g; echo 2 >src/b/f; echo 3 >src/c/f",
        "mv src/c aside; mv src/b src/c; mv src/a src/b; mkdir src/a; echo 4 >src/a/f",
    ],
    "lifted into the place of the folder above": [
        "mkdir -p src/a/d; echo 1 >src/a/d/g; echo 2 >src/a/f",
        "mv src/a/d src/x; mv src/a aside; mv src/x src/a",
    ],
    "back at a name that another had meanwhile": [
        "mkdir -p src/a src/b; echo 1 >src/a/f; echo 2 >src/b/f",
        "mv src/b src/c; mv src/a src/b",
        "mv src/b aside; mv src/c src/b",
    ],
}


@pytest.mark.parametrize("nights", NIGHTS.values(), ids=NIGHTS)
def test_names_that_tar_records_under_other_names_are_complete(nights: list[str], tmp_path: Path) -> None:
    """No name is missing from what the records suggest, and nothing is contradicted."""
    live = Live(tmp_path, ("src",))
    archives: list[bytes] = []
    members = []
    for number, commands in enumerate(nights):
        subprocess.run(["sh", "-ec", commands.replace("aside", str(live.aside / "gone"))], cwd=live.root, check=True)
        archives.append(live.dump(tmp_path / f"{number}.tar", tmp_path / "snapshot"))
        members.append(members_of(archives[-1]))
        if number:
            found = fit(partial(list, members[-1]), partial(list, members[-2]), is_base=number == 1)
            assert found.verdict is Agreement.FITS
        tree = merge([partial(list, one) for one in members], is_exact=True, is_proven=True)
        assert put_together(tree, list(zip(members, archives, strict=True))) == look_at(live.root)


@pytest.mark.parametrize("roots", [("src",), ("a", "b"), ("b", "a")], ids="-".join)
@pytest.mark.parametrize("part", range(-(-HISTORIES // (2 * PER_TEST))))
def test_the_tree_is_the_live_one_or_its_point_says_so(part: int, roots: tuple[str, ...]) -> None:
    """Archive after archive, up to the first in which tar forgot something: that is reported."""

    @settings(
        max_examples=PER_TEST,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @seed(part)
    @given(growth, nights)
    def each(grown: list[tuple[str, int, int, str]], nights: list[list[tuple[str, int, int, str]]]) -> None:
        with tempfile.TemporaryDirectory() as at:
            place = Path(at)
            live = Live(place, roots)
            archives: list[bytes] = []
            members = []
            is_sound = True
            for number, steps in enumerate([grown, *nights]):
                live.go_through(steps)
                archives.append(live.dump(place / f"{number}.tar", place / "snapshot"))
                members.append(members_of(archives[-1]))
                if number:
                    found = fit(partial(list, members[-1]), partial(list, members[-2]), is_base=number == 1)
                    if found.verdict is Agreement.CONTRADICTS or found.overlooked:
                        event("tar forgot something")
                        return
                    is_sound &= found.is_sound
                tree = merge([partial(list, one) for one in members], is_exact=True, is_proven=True)
                there = look_at(live.root)
                assert put_together(tree, list(zip(members, archives, strict=True))) == there
                made, complained = extracted(archives, place / f"{number}")
                assert is_sound is (made == there and not complained)
                event("sound" if is_sound else "tar is not trusted")
                if not is_sound:
                    return

    each()
