"""What tar was given to back up: under which names, from where, all of it again or a part; or under another name."""

from __future__ import annotations

import pytest

from tests.support.desk import Desk

Nights = list[tuple[str, str]]

TREE = "mkdir -p a/in b/deep; echo 1 >a/1; echo 2 >a/in/2; echo 3 >b/3; echo 4 >b/deep/4; echo n >notes; echo l >list"

NIGHTS: dict[str, Nights] = {
    "files and folders": [
        ("", "notes a list b"),
        ("echo 5 >a/5", "notes a list b"),
        ("echo more >list", "list a b notes"),
    ],
    "each by itself": [("", "a b notes list"), ("echo 5 >b/5", "b"), ("rm a/1; echo more >notes", "a notes")],
    "a folder within": [("", "a b notes list"), ("echo 6 >a/in/6; rm a/in/2", "a/in"), ("echo 7 >b/7", "b")],
    "one that is new": [("", "a b notes list"), ("mkdir c; echo c >c/c", "c a"), ("echo d >c/d", "b c")],
    "from one to the other": [("", "a b notes list"), ("mv a/1 b/1; mv a/in b/in", "b a notes list")],
    "renamed": [("", "a b notes list"), ("mv a c; echo n >c/n", "c b"), ("mv c d; mv d/in d/out; rm d/1", "b d")],
    "into another one": [("", "a b notes list"), ("mv a b/old", "b"), ("echo n >b/old/n", "b")],
    "out of another one": [("", "a b notes list"), ("mv a/in out", "a out b"), ("rm out/2", "out a")],
    "with a dot": [("", "./a ./b ./notes ./list"), ("echo 5 >a/5; rm b/3", "a b"), ("echo more >notes", "notes ./b/")],
    "the directory itself": [("", "."), ("echo 5 >a/5; rm notes", "."), ("mv b/deep b/low", "./b")],
}


@pytest.mark.parametrize(("proven", "form"), [(True, "gnu"), (False, "posix")], ids=["digests", "no digests"])
@pytest.mark.parametrize("nights", NIGHTS.values(), ids=NIGHTS)
def test_whatever_tar_is_given_all_of_it_comes_back(desk: Desk, nights: Nights, proven: bool, form: str) -> None:
    """Each night restores what exists, including what was not named again."""
    desk.do(TREE)
    for number, (commands, named) in enumerate(nights):
        desk.do(commands or "true")
        desk.dump("INC" if number else "FULL", f"--format={form}", *named.split(), proven=proven)
    last = list(desk.points())[-1]

    assert desk.given_back(last) == desk.seen()


def test_other_names_than_before_are_reported(desk: Desk) -> None:
    """Names that tar's --transform changes from one dump on: unchanged files do not exist under the new name."""
    desk.do("mkdir -p src/d; echo a >src/a; echo x >src/d/x")
    desk.dump("FULL", "src")
    desk.do("echo n >src/n")
    desk.dump("INC", "--transform=s,^src,moved/src,", "src")
    last = list(desk.points())[-1]

    found = desk.given_back(last)
    assert found is not None
    assert b"moved/src/n" in found
    assert b"moved/src/a" in found or any("moved/src/a" in warning for warning in desk.warnings(last))


def test_a_directory_is_renamed_when_names_become_others(desk: Desk) -> None:
    """tar records the rename under its new names: a name that is not given again has no such directory, and stays."""
    desk.do("mkdir -p src/d/in src/e; echo a >src/a; echo x >src/d/x; echo y >src/d/in/y")
    desk.dump("FULL", "src")
    desk.do("mv src/d src/e/d; mv src/e/d/in src/in; echo n >src/n")
    desk.dump("INC", "--transform=s,^src,moved/src,", "src")
    desk.do("echo m >src/m")
    desk.dump("INC", "--transform=s,^src,moved/src,", "src")

    for at in list(desk.points())[1:]:
        found = desk.given_back(at)
        assert found is not None
        assert b"moved/src/n" in found
        assert {b"src", b"src/a", b"src/e"} <= found.keys()
        assert not {b"src/d", b"src/d/in"} & found.keys()


@pytest.mark.parametrize(("named", "is_sound"), [("src", True), ("-C src .", False)])
def test_a_rename_in_an_archive_that_builds_on_nothing(desk: Desk, named: str, is_sound: bool) -> None:
    """
    Everything in it is new, so it holds the tree; but tar, extracting it alone, finds nothing to rename.

    tar does not try if the directory that records the rename does not exist yet.
    """
    desk.do("mkdir -p src/d; echo x >src/d/x")
    desk.dump("FULL", *named.split())
    desk.do("mv src/d src/e; echo y >src/e/x")
    desk.profile += "-alone"
    desk.dump("INC", *named.split(), proven=False)
    (point,) = desk.points().values()

    found = desk.given_back()
    assert found is not None
    assert found[b"src/e/x" if is_sound else b"e/x"] == ("file", b"y\n")
    assert point["sound"] is is_sound


@pytest.mark.parametrize("proven", [True, False], ids=["digests", "no digests"])
def test_the_directory_itself_gets_a_name(desk: Desk, proven: bool) -> None:
    """`-C src .` first, then `src`: to tar the root was renamed, and all unchanged files are below the name now."""
    desk.do("mkdir -p src/d; echo a >src/a; echo x >src/d/x")
    desk.dump("FULL", "-C", "src", ".", proven=proven)
    desk.do("echo n >src/n")
    desk.dump("INC", "src", proven=proven)
    last = list(desk.points())[-1]

    assert desk.given_back(last) == desk.seen()


@pytest.mark.parametrize("proven", [True, False], ids=["digests", "no digests"])
def test_a_name_becomes_the_directory_itself(desk: Desk, proven: bool) -> None:
    """`src` first, then `-C src .`."""
    desk.do("mkdir -p src/d; echo a >src/a; echo x >src/d/x")
    desk.dump("FULL", "src", proven=proven)
    desk.do("echo n >src/n")
    desk.dump("INC", "-C", "src", ".", proven=proven)
    last = list(desk.points())[-1]

    below = {path.removeprefix(b"src/"): what for path, what in desk.seen().items() if path.startswith(b"src/")}
    assert desk.given_back(last) == below
