"""
An INC after a DIFF, whatever base a profile's rule names: contents and digests tell what it was made from.

Dump levels are made like this, and what other programs call incremental. The restored tree is right, or the point says
that it does not restore.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.desk import Desk
from tests.support.server import LiveServer, live_server

BASES = ["last-inc-or-full", "last-any", "last-full"]
BEGIN = "mkdir -p src/d; echo 1 >src/a; echo 1 >src/b; echo 1 >src/d/c"


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with a rule for each group of profiles."""
    place = tmp_path_factory.mktemp("ruled")
    rules = "\n".join(f'["{base}-*"]\ninc_base = "{base}"' for base in BASES)
    (place / "profiles.toml").write_text(rules)
    with live_server(place / "data", "--profiles", str(place / "profiles.toml")) as server:
        yield server


@pytest.fixture(params=BASES)
def ruled_desk(request: pytest.FixtureRequest, ruled: LiveServer, desk: Desk) -> Iterator[Desk]:
    machine = type(desk.machine)(desk.machine.home, ruled.url)
    with ruled.client() as client:
        yield Desk(client, machine, f"{request.param}-{desk.profile}", desk.place)


def keep(desk: Desk, name: str, *, again: bool = False) -> None:
    """Put the snapshot file aside under *name*, or take it back from there."""
    here, there = desk.place / "snapshot", desk.place / name
    shutil.copy2(*((there, here) if again else (here, there)))


# TYPE, what happens before, and the snapshot file that it starts from: 0 is the one the FULL left, 1 that of the next
# dump
Nights = list[tuple[str, str, int]]
NIGHTS: dict[str, Nights] = {
    "levels": [("DIFF", "echo 2 >src/a", 0), ("INC", "echo 3 >src/b", 1)],
    "levels, and on": [("DIFF", "echo 2 >src/a", 0), ("INC", "echo 3 >src/b", 1), ("INC", "echo 4 >src/d/c", 2)],
    "a DIFF in between": [("DIFF", "echo 2 >src/a", 0), ("INC", "echo 3 >src/b", 0), ("INC", "echo 4 >src/d/c", 2)],
    "two of each": [
        ("INC", "echo 2 >src/a", 0),
        ("DIFF", "echo 3 >src/b; rm src/d/c", 0),
        ("INC", "echo 4 >src/a", 2),
        ("DIFF", "echo 5 >src/e", 0),
        ("INC", "echo 6 >src/b", 4),
    ],
    "the DIFF deletes": [("DIFF", "rm src/a; echo n >src/n", 0), ("INC", "echo 3 >src/b", 1)],
    "the DIFF renames": [("DIFF", "mv src/d src/e; echo n >src/e/n", 0), ("INC", "echo 3 >src/b", 1)],
    "the INC renames": [("DIFF", "echo 2 >src/a", 0), ("INC", "echo 3 >src/b; mv src/d src/y", 1)],
    "what the DIFF renamed goes": [
        ("DIFF", "echo 2 >src/a; mv src/d src/y", 0),
        ("INC", "echo 3 >src/b; rm -r src/y", 1),
    ],
    "in a folder": [("DIFF", "echo 2 >src/d/c; echo n >src/d/n", 0), ("INC", "echo 3 >src/b", 1)],
}


def go_through(desk: Desk, nights: Nights, *, proven: bool) -> list[dict[bytes, tuple[str, bytes]]]:
    desk.do(BEGIN)
    desk.dump("FULL", "src", proven=proven)
    keep(desk, "left-0")
    lives = [desk.seen()]
    for number, (type, happens, base) in enumerate(nights):
        desk.do(happens)
        keep(desk, f"left-{base}", again=True)
        desk.dump(type, "src", proven=proven)
        keep(desk, f"left-{number + 1}")
        lives.append(desk.seen())
    return lives


@pytest.mark.parametrize("named", ["levels, and on", "two of each", "the DIFF renames"])
def test_with_digests_every_point_is_as_it_was(ruled_desk: Desk, named: str) -> None:
    """With any rule."""
    lives = go_through(ruled_desk, NIGHTS[named], proven=True)

    assert [ruled_desk.given_back(point) for point in ruled_desk.points()] == lives
    assert {point["evidence"] for point in ruled_desk.points().values()} == {"proven"}


@pytest.mark.parametrize("nights", NIGHTS.values(), ids=NIGHTS)
def test_without_digests_none_is_what_it_was_not(ruled_desk: Desk, nights: Nights) -> None:
    """It is right, or refused; if nothing reveals it, the point is at least not called certain."""
    lives = go_through(ruled_desk, nights, proven=False)
    right = 0

    for (label, point), live in zip(ruled_desk.points().items(), lives, strict=True):
        found = ruled_desk.given_back(label)
        assert found in (None, live) or point["evidence"] == "uncertain", (label, point["link"])
        right += found == live
    assert right >= len(lives) - 1


def test_a_parent_that_is_named_is_taken_or_refused(ruled_desk: Desk) -> None:
    """By the rule, naming the base that the server would choose. Contents tell if that is wrong, too."""
    ruled_desk.do(BEGIN)
    ruled_desk.dump("FULL", "src", proven=False)
    ruled_desk.do("echo 2 >src/a")
    ruled_desk.dump("DIFF", "src", proven=False)
    full, diff = ruled_desk.points()
    expected, other = (diff, full) if "last-any" in ruled_desk.profile else (full, diff)
    ruled_desk.do("echo 3 >src/b")

    refused = ruled_desk.put("INC", gzip_of_a_dump(ruled_desk), headers={"Tarkeep-Parent": other})
    assert refused.status_code == 409
    assert "{type}/{name}".format(**refused.json()["expected"]) == expected
    taken = ruled_desk.put("INC", gzip_of_a_dump(ruled_desk), headers={"Tarkeep-Parent": expected})
    assert taken.status_code == 201
    last = list(ruled_desk.points())[-1]
    assert ruled_desk.given_back(last) == ruled_desk.seen()


def gzip_of_a_dump(desk: Desk) -> bytes:
    """The next dump that tar makes of ``src``; the snapshot file stays as it was."""
    snapshot = desk.place / "tried"
    shutil.copy2(desk.place / "snapshot", snapshot)
    command = ["tar", "-czf-", f"--listed-incremental={snapshot}", "src"]
    return subprocess.run(command, cwd=desk.live, check=True, capture_output=True).stdout
