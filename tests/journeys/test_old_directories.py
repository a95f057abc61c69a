"""
Directories of old tars: members of type 0 or NUL whose names end in a slash, as everywhere before POSIX.

GNU tar always treats them as directories, and so does Tarkeep: empty ones exist, all have their modes and times, in any
archive of a chain and by any request.
"""

from __future__ import annotations

import gzip
import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support.desk import Desk

Kept = dict[bytes, tuple[int, int, int]]

TREE = "mkdir -p s/empty s/d/deep s/closed/in; echo f >s/d/f; echo g >s/d/deep/g; chmod 711 s/empty; chmod 700 s/d"
TIMES = "touch -d 2017-07-14 s/d/f s/d/deep s/d; touch -d 2001-09-09 s/empty s/closed/in s/closed; chmod 500 s/closed"


def in_the_old_way(tar: bytes, type: bytes, magic: bool) -> bytes:
    """*tar* with its directories as members of *type*, in POSIX headers or, without *magic*, older ones."""
    found, at = bytearray(tar), 0
    while tar[at : at + 512].strip(b"\0"):
        size = int(tar[at + 124 : at + 135], 8)
        if tar[at + 156 : at + 157] == b"5":
            assert tar[at : at + 100].rstrip(b"\0").endswith(b"/")
            found[at + 156 : at + 157] = type
        if not magic:
            found[at + 257 : at + 512] = bytes(255)
        found[at + 148 : at + 156] = b" " * 8
        found[at + 148 : at + 156] = b"%06o\0 " % sum(found[at : at + 512])
        at += 512 + (size + 511) // 512 * 512
    return bytes(found)


def plain(desk: Desk, *arguments: str) -> bytes:
    command = ["tar", "-c", "--format=ustar", "--no-recursion", *arguments]
    return subprocess.run(command, cwd=desk.live, check=True, capture_output=True).stdout


def names(desk: Desk) -> list[str]:
    found = subprocess.run(["find", "s"], cwd=desk.live, check=True, capture_output=True, text=True)
    return sorted(found.stdout.splitlines())


def kept(root: Path) -> Kept:
    """Everything below *root*: its type, mode and time in seconds."""
    return {
        os.fsencode(path.relative_to(root)): (
            stat.S_IFMT(status.st_mode),
            stat.S_IMODE(status.st_mode),
            int(status.st_mtime),
        )
        for path in root.rglob("*")
        for status in [path.lstat()]
    }


OLD = [(b"0", True), (b"\0", True), (b"0", False), (b"\0", False)]
OLD_NAMES = ["0, ustar", "NUL, ustar", "0, v7", "NUL, v7"]


@pytest.mark.parametrize(("type", "magic"), OLD, ids=OLD_NAMES)
def test_they_are_directories_wherever_they_come(desk: Desk, type: bytes, magic: bool) -> None:
    """In a FULL, and in an archive laid over it, in another order and with nothing but directories."""
    then = "INC" if magic else "DIFF"
    desk.do(f"{TREE}; {TIMES}")
    assert desk.put("FULL", gzip.compress(in_the_old_way(plain(desk, *names(desk)), type, magic))).status_code == 201
    first = kept(desk.live)
    desk.do(
        "mkdir s/d/new s/late; chmod 2750 s/d/new; chmod 755 s/empty; touch -d 2011-11-11 s/d/new s/late s/empty s/d s"
    )
    later = in_the_old_way(plain(desk, "s/empty", "s/late", "s/d", "s/d/new", "s"), type, magic)
    assert desk.put(then, gzip.compress(later)).status_code == 201
    full, other = desk.points()

    for point, live in ((full, first), (other, kept(desk.live))):
        with desk.restored(point, merging=True) as ways:
            for way, place in ways.items():
                assert kept(place) == live, (point, way)
    assert desk.given_back(other) == desk.seen()


@pytest.mark.parametrize(("type", "magic"), OLD, ids=OLD_NAMES)
def test_a_single_one_can_be_had(desk: Desk, type: bytes, magic: bool) -> None:
    """By every route that shows or restores a part; it is called a directory, and its history shows no change."""
    desk.do(f"{TREE}; {TIMES}")
    for kind in ("FULL", "INC"):
        assert desk.put(kind, gzip.compress(in_the_old_way(plain(desk, *names(desk)), type, magic))).status_code == 201

    for path in ("s/empty", "s/d", "s/closed/in"):
        tar = desk.client.get(f"{desk.url}/restore.tar", params={"path": path}).content
        told = subprocess.run(["tar", "-tv"], input=tar, check=True, capture_output=True).stdout.decode()
        assert any(line.startswith("d") and line.endswith(f" {path}/") for line in told.splitlines()), told
        above, _, name = path.rpartition("/")
        (entry,) = [each for each in desk.get("tree", path=above)["entries"] if each["path"] == path]
        assert entry["type"] == "directory"
        found = [each["type"] for each in desk.get("find", name=name)["entries"] if each["path"] == path]
        assert found == ["directory"]
        assert [each["event"] for each in desk.get("history", path=path)["versions"]] == ["appeared"]


@pytest.mark.parametrize("proven", [True, False], ids=["digests", "no digests"])
@pytest.mark.parametrize("type", [b"0", b"\0"])
def test_over_dumps_with_listings_they_are_laid_like_any_other(desk: Desk, type: bytes, proven: bool) -> None:
    """A plain archive on a FULL of GNU tar, and an INC of GNU tar after it."""
    desk.do(f"{TREE}; {TIMES}")
    desk.dump("FULL", "s", proven=proven)
    desk.do("mkdir s/new; chmod 750 s/new; touch -d 2011-11-11 s/new s")
    old = in_the_old_way(plain(desk, "s", "s/new"), type, magic=True)
    assert desk.put("INC", gzip.compress(old)).status_code == 201
    point, live = list(desk.points())[-1], kept(desk.live)

    with desk.restored(point, merging=True) as ways:
        for way, place in ways.items():
            assert kept(place) == live, way
    assert desk.given_back(point) == desk.seen()


def test_names_without_a_slash_are_files(desk: Desk) -> None:
    """And a slash in the middle, or a link whose target ends in one, makes no directory."""
    desk.do("mkdir s; : >s/empty; echo d >s/d; ln -s d/ s/link")
    tar = plain(desk, "s", "s/empty", "s/d", "s/link")
    assert desk.put("FULL", gzip.compress(in_the_old_way(tar, b"\0", magic=False))).status_code == 201

    assert desk.given_back() == desk.seen()
