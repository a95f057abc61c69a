"""
Names that tar was told to change, by ``--transform``, in chains.

The listings keep the old names. GNU tar removes what the listing of an existing directory does not name, so it loses
what an archive leaves to the one before it, below a name that ``--transform`` made up. What every way restores is what
the archives hold; where tar would lose something, the plan says so.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.desk import Desk, Seen
from tests.support.tar_oracle import look_at

TREE = "mkdir -p data/a/in data/b data/z; echo f >data/a/f; echo g >data/a/g; echo i >data/a/in/i; echo h >data/b/h"

NIGHTS = ["echo F >data/a/f", "rm data/a/g; echo n >data/a/in/n", "echo H >data/b/h", "true", "rm -r data/a/in"]

KEPT = {
    "out of the folder": "s,^data/a,a,",
    "all of it, deeper": "s,^data,x/data,",
    "all of it, to another name": "s,^data,x,",
    "without the first name": "s,^data/,,",
}

NAMES = KEPT | {
    "into a deeper folder": "s,^data/a,data/x/a,",
    "two levels deeper": "s,^data/a,data/x/y/a,",
    "into a folder that exists": "s,^data/a,data/z/a,",
    "to another name": "s,^data/a,data/q,",
    "a folder inside": "s,^data/a/in,data/a/out,",
    "a folder inside, deeper": "s,^data/a/in,data/a/x/in,",
}


def by_tar(desk: Desk, archives: list[str]) -> tuple[Seen, bool]:
    """What GNU tar makes of *archives*, and whether it failed."""
    with TemporaryDirectory(dir=desk.place) as place:
        codes = [
            subprocess.run(
                ["tar", "-xzpf", str(desk.place / name), "--listed-incremental=/dev/null"],
                cwd=place,
                capture_output=True,
            ).returncode
            for name in archives
        ]
        return look_at(Path(place)), any(codes)


def as_transformed(desk: Desk, transform: str) -> Seen:
    """The present tree under the names that tar makes up: what a full dump would hold."""
    with TemporaryDirectory(dir=desk.place) as place:
        dump = subprocess.run(["tar", "-c", f"--transform={transform}", "data"], cwd=desk.live, capture_output=True)
        subprocess.run(["tar", "-x"], cwd=place, input=dump.stdout, check=True)
        return look_at(Path(place))


def told_of(desk: Desk, lacking: set[bytes], at: str) -> bool:
    """Whether the plan of a point, or the obstacles if it has none, names something of what is *lacking*."""
    point = desk.points()[at]
    words = desk.warnings(at) if point["restorable"] else [one["detail"] for one in point["obstacles"]]
    return any(path.decode() in word for word in words for path in lacking)


@pytest.mark.parametrize("proven", [True, False], ids=["digests", "no digests"])
@pytest.mark.parametrize("transform", NAMES.values(), ids=NAMES)
def test_every_night_comes_back_under_the_new_names(desk: Desk, transform: str, proven: bool) -> None:
    """By every way; where tar would lose something, its plan is not sound, and says why."""
    desk.do(TREE)
    live: list[Seen] = []
    for number, night in enumerate(["true", *NIGHTS]):
        desk.do(night)
        desk.dump("INC" if number else "FULL", f"--transform={transform}", "data", proven=proven)
        live.append(as_transformed(desk, transform))

    archives: list[str] = []
    for (label, point), expected in zip(desk.points().items(), live, strict=True):
        archives.append(label.partition("/")[2])
        assert desk.given_back(label) == expected
        assert (by_tar(desk, archives) == (expected, False)) or not point["sound"], label
        assert point["sound"] is (point["distrust"] is None)
        if not point["sound"]:
            assert "tar would remove data/" in point["distrust"]
            assert point["distrust"] in "".join(desk.warnings(label))


@pytest.mark.parametrize("transform", KEPT.values(), ids=KEPT)
def test_tar_is_trusted_with_names_that_no_listing_contradicts(desk: Desk, transform: str) -> None:
    desk.do(TREE)
    for number, night in enumerate(["true", *NIGHTS]):
        desk.do(night)
        desk.dump("INC" if number else "FULL", f"--transform={transform}", "data")

    assert all(point["sound"] for point in desk.points().values())


def test_what_an_archive_carries_anew_comes_back(desk: Desk) -> None:
    """tar removes the folder and extracts all of it again."""
    transform = "--transform=s,^data/a,data/x/a,"
    desk.do(TREE)
    desk.dump("FULL", transform, "data")
    desk.do("echo 1 >data/a/f; echo 2 >data/a/g; echo 3 >data/a/in/i")
    desk.dump("INC", transform, "data")
    desk.do("echo 4 >data/a/f")
    desk.dump("INC", transform, "data")
    full, inc, last = desk.points()

    assert desk.points()[full]["sound"]
    assert desk.points()[inc]["sound"]
    assert not desk.points()[last]["sound"]
    for at in (full, inc, last):
        assert desk.given_back(at) is not None


RENAMES = {
    "it": "mv data/a data/c",
    "a folder inside": "mv data/a/in data/a/out",
    "a folder inside, to the outside": "mv data/a/in data/b/in",
    "a folder beside, to the inside": "mv data/b data/a/b",
    "a folder beside": "mv data/b data/c",
    "two for each other": "mv data/a data/t; mv data/b data/a; mv data/t data/b",
}


@pytest.mark.parametrize("proven", [True, False], ids=["digests", "no digests"])
@pytest.mark.parametrize("nights", [0, 1], ids=["after the FULL", "after an INC"])
@pytest.mark.parametrize("transform", ["s,^data/a,data/x/a,", "s,^data,x,", "s,^data/,,"])
@pytest.mark.parametrize("rename", RENAMES.values(), ids=RENAMES)
def test_a_renamed_folder_is_told(desk: Desk, rename: str, transform: str, nights: int, proven: bool) -> None:
    """tar records a rename under the names on disk, and fails; what cannot be found is told beforehand."""
    desk.do(TREE)
    desk.dump("FULL", f"--transform={transform}", "data", proven=proven)
    for _ in range(nights):
        desk.do("echo H >data/b/h")
        desk.dump("INC", f"--transform={transform}", "data", proven=proven)
    desk.do(rename)
    answer = desk.dump("INC", f"--transform={transform}", "data", proven=proven)
    expected = as_transformed(desk, transform)
    label = list(desk.points())[-1]
    point = desk.points()[label]
    archives = [one.partition("/")[2] for one in desk.points()]

    found = desk.given_back(label)
    assert found is not None or not point["restorable"]
    lacking = expected.keys() - (found or {}).keys()
    if lacking:
        assert told_of(desk, lacking, label), desk.warnings(label)
        assert not point["sound"]
        assert answer.json()["distrust"] == point["distrust"]
    assert (by_tar(desk, archives) == (expected, False)) or not point["sound"]


def test_names_that_lead_upwards(desk: Desk) -> None:
    """tar does not extract them, at the FULL or later: they are gaps, and everything else comes back."""
    transform = "--transform=s,^data/a,data/../a,"
    desk.do(TREE)
    desk.dump("FULL", transform, "data")
    desk.do("echo F >data/a/f; echo H >data/b/h")
    desk.dump("INC", transform, "data")
    rest = desk.seen("data/a")

    for label, point in desk.points().items():
        assert point["restorable"]
        assert point["gaps"]
        assert "leads upwards" in point["distrust"]
        with desk.restored(label, status=3, merging=True) as ways:
            found = [look_at(place) for place in ways.values()]
        assert all(one.keys() == rest.keys() for one in found), found
    assert found[0] == rest


def test_two_folders_become_one(desk: Desk) -> None:
    """tar reads the second listing as another dump's, and removes what the first one has; so is the point, and told."""
    transform = "--transform=s,^data/a,data/b,"
    desk.do(TREE)
    desk.dump("FULL", transform, "data")
    first = as_transformed(desk, "s,^data/a,data/b,")
    desk.do("echo F >data/a/f")
    desk.dump("INC", transform, "data")
    full, inc = desk.points()

    assert desk.given_back(full) == first
    found = desk.given_back(inc)
    assert found is not None
    assert told_of(desk, first.keys() - found.keys(), inc)
    assert not desk.points()[inc]["sound"]
