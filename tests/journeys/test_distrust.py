"""Every kind of plan that is not sound has a reason, the same one in points, plan, script and `tarkeep points`."""

from __future__ import annotations

import json
import tarfile

import pytest

from tests.journeys.test_one_in_the_way import LATER, OK, Member, targz
from tests.support.desk import Desk

BEGIN = "mkdir -p src/d/e src/f; echo x >src/d/x; echo y >src/d/e/y; echo z >src/f/z"
SWAP = "mv src/d src/t; mv src/f src/d; mv src/t src/f"

CHAINS = {
    "a renamed top directory": ([(BEGIN, "src"), ("mv src other", "other")], "renamed at the top"),
    "directories that are renamed again": (
        [(BEGIN, "src"), (SWAP, "src"), (f"{SWAP}; mkdir src/d/in; mv src/f src/d/in/f", "src")],
        "tar would fail at src",
    ),
    "a top directory that was a file": (
        [(f"{BEGIN}; echo t >top", "src top"), ("rm top; mkdir top", "src top")],
        "tar would not replace the file top",
    ),
    "a file that was a top directory": (
        [(f"{BEGIN}; mkdir top", "src top"), ("rmdir top; echo t >top", "src top")],
        "tar would not replace the directory top",
    ),
    "names changed": (
        [(BEGIN, "--transform=s,^src/d,src/g/d, src"), ("true", "--transform=s,^src/d,src/g/d, src")],
        "tar would remove src/g/d/",
    ),
    "a listing behind what it removes": (
        [(f"{BEGIN}; mkdir src/g", "--transform=s,^src/d,src/g/d, src")],
        "tar would remove src/g/d again",
    ),
    "a time": ([(BEGIN, "src"), ("echo X >src/d/x", "--no-recursion src/d/x src/f")], "the time of the restore"),
}

MADE = {
    "a name that cannot be extracted": ([[*OK, ("s/b", tarfile.LNKTYPE, "s/a", b"")]], "tar cannot extract 1 name"),
    "a later archive has that name": (
        [[*OK, ("s/b", tarfile.LNKTYPE, "s/a", b"")], [*LATER, ("s/b", tarfile.REGTYPE, "", b"b")]],
        "tar would fail at 1 name of FULL/",
    ),
    "a link in the way": (
        [[*OK, ("s/l", tarfile.SYMTYPE, "ok", b"")], [*LATER, ("s/l/x", tarfile.REGTYPE, "", b"x")]],
        "s/l is a link in one of these archives and a directory in another",
    ),
    "a file in a folder that is not held": ([OK, [("s/ok/f", tarfile.REGTYPE, "", b"g")]], "the time of the restore"),
}


def told(desk: Desk, label: str) -> str:
    """The reason in every answer about a point; empty if it is sound."""
    point, plan = desk.points()[label], desk.get("plan", at=label)
    script = desk.client.get(f"{desk.url}/plan", params={"at": label, "format": "sh"}).text
    listed = map(json.loads, desk.machine.run("points", desk.profile, "--json").stdout.splitlines())
    (own,) = (one for one in listed if f"{one.get('type')}/{one.get('name')}" == label)
    reason = point["distrust"]
    assert reason == plan["distrust"] == own["distrust"]
    assert point["sound"] is plan["sound"] is own["sound"] is (reason is None)
    if reason is None:
        return ""
    assert isinstance(reason, str)
    assert reason
    assert any(reason in warning for warning in plan["warnings"]) or point["gaps"]
    assert reason in script.replace("'\"'\"'", "'")
    return reason


@pytest.mark.parametrize(("nights", "because"), CHAINS.values(), ids=CHAINS)
def test_a_chain(desk: Desk, nights: list[tuple[str, str]], because: str) -> None:
    for number, (commands, arguments) in enumerate(nights):
        desk.do(commands)
        desk.dump("INC" if number else "FULL", *arguments.split())
    last = list(desk.points())[-1]

    assert because in told(desk, last)
    assert last in told(desk, last)
    assert all(told(desk, label) or point["sound"] for label, point in desk.points().items())


@pytest.mark.parametrize(("archives", "because"), MADE.values(), ids=MADE)
def test_plain_archives(desk: Desk, archives: list[list[Member]], because: str) -> None:
    for number, members in enumerate(archives):
        desk.put("INC" if number else "FULL", targz(*members, mtime=1_600_000_000 + number))

    assert because in told(desk, list(desk.points())[-1])


def test_less_than_a_whole_point(desk: Desk) -> None:
    """A part of the tree; and a point whose parent is missing, with gaps."""
    desk.do(BEGIN)
    desk.dump("FULL", "src")
    desk.profile += "-other"
    desk.do("echo X >src/d/x")
    desk.dump("INC", "src")
    desk.profile = desk.profile.removesuffix("-other")
    desk.do("echo Z >src/f/z")
    desk.dump("INC", "src")
    full, last = desk.points()

    assert "of which only a part is wanted" in desk.get("plan", at=full, path="src/d")["distrust"]
    assert desk.points()[last]["distrust"] == "the point does not restore"
    assert desk.get("plan", at=last, allow_gaps="1")["distrust"] == "not all archives that it takes are there and whole"
    assert told(desk, full) == ""
