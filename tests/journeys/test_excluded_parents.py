"""
Names that dumps exclude come and go, and never decide what an archive builds on.

tar lists excluded names as unchanged, so an older archive that lists them, too, seems to fit better. The restored tree
must be the archived one, and the parent the one chosen by the rule.
"""

from __future__ import annotations

import pytest

from tests.support.desk import Desk

BEGIN = "mkdir -p src/d; echo january >src/keep; echo january >src/d/a"
FEBRUARY = "echo february >src/keep; echo february >src/d/a"

LOCKS = {
    "a file": (": >src/job.lock", "rm src/job.lock", ("--exclude=*.lock",)),
    "a file in a folder": (": >src/d/job.lock", "rm src/d/job.lock", ("--exclude=*.lock",)),
    "several": (": >src/a.lock; : >src/b.lock; : >src/d/c.lock", "rm src/*.lock src/d/c.lock", ("--exclude=*.lock",)),
    "by a file of patterns": (": >src/job.lock", "rm src/job.lock", ("--exclude-from=../patterns",)),
    "a folder": ("mkdir src/cache; echo x >src/cache/x", "rm -r src/cache", ("--exclude=src/cache",)),
    "a cache": (
        "mkdir src/cache; printf 'Signature: 8a477f597d28d172789f06886806bc55' >src/cache/CACHEDIR.TAG; : >src/cache/x",
        "rm -r src/cache",
        ("--exclude-caches-all",),
    ),
    "by a wildcard": (": >src/x~; : >src/d/y~", "rm src/x~ src/d/y~", ("--exclude-backups",)),
}


def live(desk: Desk) -> dict[bytes, tuple[str, bytes]]:
    """Everything that exists and is not excluded."""
    found = desk.seen()
    return {path: what for path, what in found.items() if not path.endswith((b".lock", b"~")) and b"cache" not in path}


@pytest.mark.parametrize("type", ["INC", "DIFF"])
@pytest.mark.parametrize(("there", "gone", "options"), LOCKS.values(), ids=LOCKS)
def test_an_older_full_that_lists_it_is_no_parent(
    desk: Desk, there: str, gone: str, options: tuple[str, ...], type: str
) -> None:
    """The file existed in January and exists again, but not when February's FULL was made."""
    desk.do(f"{BEGIN}; {there}; echo '*.lock' >../patterns")
    desk.dump("FULL", *options, "src", proven=False)
    desk.do(f"{FEBRUARY}; {gone}")
    desk.dump("FULL", *options, "src", proven=False)
    desk.do(f"echo later >src/d/a; {there}")
    desk.dump(type, *options, "src", proven=False)
    last = list(desk.points())[-1]

    assert desk.given_back(last) == live(desk)
    assert [step["type"] for step in desk.get("plan", at=last)["steps"]] == ["FULL", type]
    assert desk.get("plan", at=last)["steps"][0]["name"] == "full_2026-01-02_00-00-00.tar.gz"


def test_an_older_inc_that_lists_it_is_no_parent(desk: Desk) -> None:
    """In a chain, it comes and goes between every two archives; each point is as it was."""
    options, expected = ("--exclude=*.lock",), []
    for number in range(6):
        desk.do(f"mkdir -p src/d; echo {number} >src/keep; echo {number} >src/d/{number}")
        desk.do(": >src/job.lock; : >src/d/x.lock" if number % 3 != 1 else "rm -f src/job.lock src/d/x.lock")
        desk.dump("INC" if number % 4 else "FULL", *options, "src", proven=False)
        expected.append(live(desk))

    assert [desk.given_back(point) for point in desk.points()] == expected


@pytest.mark.parametrize("proven", [True, False], ids=["digests", "no digests"])
@pytest.mark.parametrize("type", ["INC", "DIFF"])
def test_a_folder_that_is_left_out_from_now_on_stays_as_it_was(desk: Desk, type: str, proven: bool) -> None:
    """Never restored in part, nor missing by one way and present by another; and later archives leave it so."""
    desk.do("mkdir -p src/cache/deep; echo k >src/keep; echo old >src/cache/x; echo 1 >src/cache/deep/1")
    desk.dump("FULL", "src", proven=proven)
    before = {path: what for path, what in desk.seen().items() if b"cache" in path}
    for number in range(2):
        desk.do(f"echo {number} >src/keep; echo {number} >src/cache/x; rm -f src/cache/deep/1")
        desk.dump(type, "--exclude=src/cache", "src", proven=proven and type == "INC")
        last = list(desk.points())[-1]

        found = desk.given_back(last)
        assert found is not None
        kept = {path: what for path, what in found.items() if b"cache" in path}
        assert kept in ({}, before), kept
        assert {path: what for path, what in found.items() if b"cache" not in path} == desk.seen("src/cache")


@pytest.mark.parametrize("proven", [True, False], ids=["digests", "no digests"])
@pytest.mark.parametrize("pattern", ["*.iso", "src/d"])
def test_what_is_left_out_no_more_is_named_until_it_is_archived(desk: Desk, pattern: str, proven: bool) -> None:
    """An unchanged file is in no archive, and reported; a folder is archived as soon as tar reads it again."""
    desk.do("mkdir -p src/d; echo k >src/keep; echo precious >src/disk.iso; echo x >src/d/x")
    desk.dump("FULL", f"--exclude={pattern}", "src", proven=proven)
    desk.do("echo k2 >src/keep")
    desk.dump("INC", "src", proven=proven)
    last, found = list(desk.points())[-1], desk.given_back()

    assert found is not None
    lacking = desk.seen().keys() - found.keys()
    assert lacking == ({b"src/disk.iso"} if pattern == "*.iso" else set())
    if lacking:
        assert any("excluded" in warning for warning in desk.warnings(last)), desk.warnings(last)
        desk.do("touch src/disk.iso")
        desk.dump("INC", "src", proven=proven)
        assert desk.given_back() == desk.seen()


@pytest.mark.parametrize("appears", ["at the INC", "at the DIFF"])
def test_an_excluded_name_does_not_hide_the_real_parent(desk: Desk, appears: str) -> None:
    """An INC made on top of a DIFF, although by rule it builds on the FULL: the DIFF's members reveal it."""
    desk.do("mkdir src; echo 1 >src/a; echo 1 >src/b")
    desk.dump("FULL", "--exclude=*.tmp", "src", proven=False)
    desk.do(f"echo 2 >src/a; {': >src/x.tmp' if appears == 'at the DIFF' else 'true'}")
    desk.dump("DIFF", "--exclude=*.tmp", "src", proven=False)
    desk.do(f"echo 3 >src/b; {': >src/x.tmp' if appears == 'at the INC' else 'true'}")
    desk.dump("INC", "--exclude=*.tmp", "src", proven=False)
    last = list(desk.points())[-1]

    assert desk.given_back(last) == desk.seen("src/x.tmp")
