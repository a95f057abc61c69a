"""
Files that tar was told to exclude, or could not read: all others are restored in every way, and the plan reports them.

Each way to exclude a file, at the FULL and later; with digests and without; with an INC and a DIFF.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.desk import Desk

TREE = "mkdir -p src/cache/deep; echo k >src/keep; echo old >src/cache/x; echo 1 >src/cache/deep/1"
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.mark.parametrize(("type", "proven"), [("INC", True), ("DIFF", False)], ids=["INC, digests", "DIFF, none"])
@pytest.mark.parametrize("option", ["--exclude=*.tmp", "-X../patterns", "--exclude-ignore=patterns"])
def test_files_that_come_and_go_while_they_are_excluded(desk: Desk, option: str, type: str, proven: bool) -> None:
    """One exists at the FULL, one comes later."""
    desk.do(f"{TREE}; echo '*.tmp' >../patterns; cp ../patterns src; cp ../patterns src/cache; : >src/cache/old.tmp")
    desk.dump("FULL", option, "src", proven=proven)
    first = desk.seen("src/cache/old.tmp")
    desk.do("echo k2 >src/keep; : >src/new.tmp")
    desk.dump(type, option, "src", proven=proven)
    second = desk.seen("src/cache/old.tmp", "src/new.tmp")
    full, other = desk.points()

    assert desk.given_back(full) == first
    assert desk.given_back(other) == second
    assert any("excluded" in warning for warning in desk.warnings(full))
    assert any("src/new.tmp" in warning for warning in desk.warnings(other))


@pytest.mark.parametrize(("type", "proven"), [("INC", True), ("DIFF", False)], ids=["INC, digests", "DIFF, none"])
@pytest.mark.parametrize(
    ("option", "tag"),
    [("--exclude=cache", ""), ("--exclude-tag-all=.nobackup", "touch src/cache/.nobackup"), ("--no-recursion", "")],
)
def test_a_folder_that_is_left_out_later(desk: Desk, option: str, tag: str, type: str, proven: bool) -> None:
    """It is restored as it was or not at all, the same by all ways, and the plan names it; the rest is up to date."""
    desk.do(TREE)
    desk.dump("FULL", "src", proven=proven)
    before = desk.seen()
    desk.do(f"echo k2 >src/keep; rm src/cache/x; echo n >src/cache/y; {tag}")
    answer = desk.dump(type, option, "src", proven=proven)
    last = list(desk.points())[-1]

    found = desk.given_back(last)
    assert found is not None
    assert {path: found[path] for path in found if b"cache" not in path} == desk.seen("src/cache")
    assert {path: found[path] for path in found if b"cache" in path}.items() <= before.items()
    told = [*answer.json()["warnings"], *desk.warnings(last)]
    assert sum("src/cache" in warning for warning in told) >= 2, told


@pytest.mark.parametrize("proven", [True, False], ids=["digests", "no digests"])
@pytest.mark.parametrize("type", ["INC", "DIFF"])
@pytest.mark.parametrize(
    "move", ["mv src/cache src/other", "mv src/cache/deep src/cache/deeper", "mv src/cache src/b; mkdir src/cache"]
)
def test_one_left_out_that_is_new_beside_a_folder_that_was_renamed(
    desk: Desk, type: str, proven: bool, move: str
) -> None:
    """The renamed folder is in an archive, so nothing suggests a missing archive: only a doubt is left."""
    desk.do(TREE)
    desk.dump("FULL", "--exclude=*.iso", "src", proven=proven)
    desk.do(f"{move}; echo k2 >src/keep; for folder in $(find src -type d); do echo large >$folder/new.iso; done")
    left_out = [line.decode() for line in desk.seen() if line.endswith(b".iso")]
    desk.dump(type, "--exclude=*.iso", "src", proven=proven)

    last = list(desk.points())[-1]
    assert desk.given_back(last) == desk.seen(*left_out)
    assert any("new.iso" in warning for warning in desk.warnings(last))


@pytest.mark.parametrize("proven", [True, False], ids=["digests", "no digests"])
@pytest.mark.parametrize("type", ["INC", "DIFF"])
def test_a_folder_that_was_left_out_and_is_renamed(desk: Desk, type: str, proven: bool) -> None:
    """The first dump names it, so no archive is missing: all else comes back, and what was never archived is told."""
    desk.do(f"{TREE}; touch src/cache/.nobackup")
    desk.dump("FULL", "--exclude-tag-all=.nobackup", "src", proven=proven)
    desk.do("mv src/cache src/other; rm src/other/.nobackup; echo k2 >src/keep; echo new >src/other/new")
    desk.dump(type, "--exclude-tag-all=.nobackup", "src", proven=proven)

    last = list(desk.points())[-1]
    found = desk.given_back(last)
    assert found is not None
    assert found.items() >= desk.seen("src/other").items()
    assert b"src/other/new" in found
    assert any("src/" in warning for warning in desk.warnings(last))


@pytest.mark.parametrize("proven", [True, False], ids=["digests", "no digests"])
def test_what_is_left_out_no_more_and_did_not_change(desk: Desk, proven: bool) -> None:
    """tar saw it, so it calls it unchanged: every plan with it says that something was excluded at the FULL."""
    desk.do(f"{TREE}; echo precious >src/disk.iso")
    desk.dump("FULL", "--exclude=*.iso", "src", proven=proven)
    for text in ("k2", "k3"):
        desk.do(f"echo {text} >src/keep")
        desk.dump("INC", "src", proven=proven)

        last = list(desk.points())[-1]
        assert desk.given_back(last) == desk.seen("src/disk.iso")
        assert any("they were excluded from the dump" in warning for warning in desk.warnings(last))


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root, and setpriv")
@pytest.mark.parametrize("proven", [True, False], ids=["digests", "no digests"])
@pytest.mark.parametrize("what", ["src/keep", "src/cache"])
def test_what_an_ordinary_user_cannot_read_any_more(desk: Desk, what: str, proven: bool, tmp_path: Path) -> None:
    """A file that changed, or a folder: all ways restore the same state of it, and the plan names it."""
    desk.do(f"{TREE}; chown -R 65534 src")
    for above in (tmp_path, *tmp_path.parents[:-2]):
        above.chmod(above.stat().st_mode | 0o777 if above == tmp_path else above.stat().st_mode | 0o111)
    desk.dump("FULL", "src", proven=proven, prefix=NOBODY)
    desk.do(f"echo k2 >src/keep; echo n >src/new; chown 65534 src/new; chown 0 {what}; chmod go= {what}")
    desk.dump("INC", "src", proven=proven, prefix=NOBODY, may_fail=True)
    last = list(desk.points())[-1]

    found = desk.given_back(last)
    assert found is not None
    assert {path: look for path, look in found.items() if not path.startswith(what.encode())} == desk.seen(what)
    assert any(what in warning for warning in desk.warnings(last))


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root, and setpriv")
@pytest.mark.parametrize("proven", [True, False], ids=["digests", "no digests"])
def test_what_an_ordinary_user_cannot_read_where_all_else_is_new(desk: Desk, proven: bool, tmp_path: Path) -> None:
    """The folder's listing is identical to the one before, since everything in it was changed: one file is missing."""
    desk.do(f"{TREE}; chown -R 65534 src")
    for above in (tmp_path, *tmp_path.parents[:-2]):
        above.chmod(above.stat().st_mode | 0o777 if above == tmp_path else above.stat().st_mode | 0o111)
    desk.dump("FULL", "src", proven=proven, prefix=NOBODY)
    desk.do("touch src/keep src/cache/deep/1; chown 0 src/cache/x; chmod go= src/cache/x")
    desk.dump("INC", "src", proven=proven, prefix=NOBODY, may_fail=True)
    last = list(desk.points())[-1]

    assert desk.given_back(last) == desk.seen("src/cache/x")
    assert any("src/cache/x" in warning for warning in desk.warnings(last))


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root, and setpriv")
@pytest.mark.parametrize("format", ["gnu", "oldgnu", "posix"])
@pytest.mark.parametrize("kind", ["file", "socket"])
def test_what_the_first_dump_could_not_read_is_reported_from_the_first_point_on(
    desk: Desk, kind: str, format: str, tmp_path: Path
) -> None:
    """A FULL builds on nothing, but lacks it all the same; so does an INC that lists such a file as new."""
    make = {
        "file": "echo >{0}; chmod 0 {0}",
        "socket": "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"{0}\")'; chown 65534 {0}",
    }[kind]
    desk.do(f"{TREE}; chown -R 65534 src; {make.format('src/cache/secret')}")
    for above in (tmp_path, *tmp_path.parents[:-2]):
        above.chmod(above.stat().st_mode | 0o777 if above == tmp_path else above.stat().st_mode | 0o111)
    desk.dump("FULL", f"--format={format}", "src", prefix=NOBODY, may_fail=True)
    desk.do(make.format("src/cache/deep/other"))
    desk.dump("INC", f"--format={format}", "src", prefix=NOBODY, may_fail=True)
    full, inc = desk.points()

    assert desk.given_back(full) == desk.seen("src/cache/secret", "src/cache/deep/other")
    assert any("src/cache/secret" in warning for warning in desk.warnings(full))
    assert any("src/cache/deep/other" in warning for warning in desk.warnings(inc))


def test_nothing_was_deleted_in_between_where_there_is_no_between(desk: Desk) -> None:
    """
    A single plain archive is restored whole; with the next one, deleted files come back, and every way reports it.
    """
    desk.do("mkdir src; echo x >src/x; echo y >src/y")
    desk.dump("FULL", "src", snapshot=None)
    assert desk.given_back() == desk.seen()
    script = {"format": "sh"}
    alone = (desk.warnings(), desk.client.get(f"{desk.url}/plan", params=script).text)
    desk.do("rm src/y")
    desk.dump("INC", "src", snapshot=None)
    laid_over = (desk.warnings(), desk.client.get(f"{desk.url}/plan", params=script).text)

    desk.do("mv src/x src/z")
    desk.dump("INC", "src")
    assert any("renames are not carried out" in warning for warning in desk.warnings())
    assert not any("renames" in warning for warning in laid_over[0])
    for before, after in zip(alone, laid_over, strict=True):
        assert "in between" not in "".join(before)
        assert "in between" in "".join(after)


def test_names_that_tar_was_told_to_transform(desk: Desk) -> None:
    """Listings keep the old names: a folder that only they name is in no tree, and no rename applies to it."""
    desk.do("mkdir -p src/d/e; echo x >src/d/x; echo y >src/y")
    desk.dump("FULL", "--transform=s,^src/,,", "src")
    first = desk.given_back()
    assert first is not None
    assert {b"d", b"d/e", b"d/x", b"src", b"y"} == first.keys()
    desk.do("mv src/d src/dd")
    desk.dump("INC", "--transform=s,^src/,,", "src")
    full, inc = desk.points()

    assert desk.given_back(full) == first
    desk.given_back(inc)
    assert any("src/y" in warning for warning in desk.warnings(full))
