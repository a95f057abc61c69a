"""
What tar leaves of existing directories: their times, attributes they have lost, and read-only modes.

The oracle is restore.tar, extracted into an empty directory: the script and the client give the same, and if tar could
not, the plan says so and why.
"""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.journeys.test_attributes import KEEP_ALL, Look, attributes
from tests.support.desk import NOBODY, Desk

AS_NOBODY = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root, and setpriv of util-linux"
)
WITH_ATTRIBUTES = pytest.mark.usefixtures("attribute_tools")

OLD = "find src -depth -exec touch -h -d 2011-11-11 {} +"
TREE = f"mkdir -p src/d/e src/f; echo x >src/d/x; echo y >src/d/e/y; echo z >src/f/z; {OLD}"

Found = dict[bytes, Look]


def given_alike(desk: Desk, at: str = "latest", *, as_nobody: bool = False) -> Found:
    """The result of all ways, including the times of directories."""
    with desk.restored(at, merging=True, as_nobody=as_nobody) as ways:
        found = {way: attributes(place) for way, place in ways.items()}
    for way, one in found.items():
        assert one == found["merged"], (way, {path for path in one if one[path] != found["merged"].get(path)})
    return found["merged"]


def untrusted(desk: Desk, at: str = "latest") -> str:
    """The reason why tar is not trusted with a point; empty if it is."""
    plan = desk.get("plan", at=at)
    told = [warning for warning in plan["warnings"] if "would not produce this tree" in warning]
    assert bool(told) is not plan["sound"]
    return "".join(told)


def times(found: Found) -> dict[str, int]:
    """The times of directories that have not changed since the beginning."""
    return {path.decode(): look.time for path, look in found.items()}


@pytest.mark.parametrize("listed", [True, False], ids=["with listings", "plain"])
@pytest.mark.parametrize(
    ("named", "touched"),
    [
        (("src/d/x",), "src/d"),
        (("src/d/e/y", "src/f/z"), "src/d/e"),
        (("--no-recursion", "src/d", "src/d/e/y"), "src/d/e"),
    ],
    ids=["one file", "files of several folders", "one folder is held, another not"],
)
def test_a_file_is_put_into_a_folder_that_its_archive_does_not_hold(
    desk: Desk, listed: bool, named: tuple[str, ...], touched: str
) -> None:
    """The folder keeps the time that an archive has for it."""
    desk.do(TREE)
    desk.dump("FULL", "--format=posix", "src", snapshot="snapshot" if listed else None)
    first = attributes(desk.live)
    desk.do("echo X >src/d/x; echo Y >src/d/e/y; echo Z >src/f/z")
    desk.dump("INC", "--format=posix", *named, snapshot=None)
    full, inc = desk.points()

    assert given_alike(desk, full) == first
    assert not untrusted(desk, full)
    assert times(given_alike(desk, inc))[touched] == times(first)[touched]
    assert f"{touched} would have the time of the restore" in untrusted(desk, inc)


@pytest.mark.parametrize("more", ["", "src/f"], ids=["alone", "beside another folder"])
def test_a_file_is_named_to_tar_beside_the_snapshot_file(desk: Desk, more: str) -> None:
    """With listings throughout, if anything but the file is named; otherwise it is a plain archive."""
    desk.do(TREE)
    desk.dump("FULL", "--format=posix", "src")
    first = attributes(desk.live)
    desk.do("echo X >src/d/x")
    desk.dump("INC", "--format=posix", "src/d/x", *more.split())

    assert times(given_alike(desk))["src/d"] == times(first)["src/d"]
    assert "src/d would have the time of the restore" in untrusted(desk)


def test_a_folder_comes_new_into_one_that_was_not_dumped_again(desk: Desk) -> None:
    """And its contents change later, which changes only its own time."""
    desk.do(TREE)
    desk.dump("FULL", "--format=posix", "src")
    first = attributes(desk.live)
    desk.do("echo n >src/f/n")
    desk.dump("INC", "--format=posix", "src/f")
    desk.do("mkdir src/d/new; echo n >src/d/new/n")
    desk.dump("INC", "--format=posix", "src/d/new")
    desk.do("echo m >src/d/new/m")
    desk.dump("INC", "--format=posix", "src/d/new")
    _, beside, new, again = desk.points()

    assert not untrusted(desk, beside)
    for point in (new, again):
        assert times(given_alike(desk, point))["src/d"] == times(first)["src/d"]
        assert "src/d would have the time of the restore" in untrusted(desk, point)


def test_a_right_result_raises_no_alarm(desk: Desk) -> None:
    """Ordinary dumps; files of folders that no archive ever held; roots in turn, and new ones."""
    desk.do(f"{TREE}; mkdir other; echo o >other/o")
    desk.dump("FULL", "--format=posix", "src", "other")
    desk.do("echo X >src/d/x; rm src/f/z; mkdir src/new; echo n >src/new/n; mv src/d/e src/e")
    desk.dump("INC", "--format=posix", "src")
    desk.do("echo p >other/p; mkdir third; echo t >third/t")
    desk.dump("INC", "--format=posix", "other", "third")
    desk.do("echo Y >src/e/y")
    desk.dump("INC", "--format=posix", "src")
    for point in desk.points():
        assert not untrusted(desk, point)
        given_alike(desk, point)


def test_files_alone_raise_no_alarm(desk: Desk) -> None:
    """No archive holds their folders, so these get the time of the restore in every way."""
    desk.do(TREE)
    desk.dump("FULL", "src/d/x", "src/f/z", snapshot=None)
    desk.do("echo X >src/d/x")
    desk.dump("INC", "src/d/x", snapshot=None)

    assert not untrusted(desk)
    assert desk.given_back() is not None


@WITH_ATTRIBUTES
@pytest.mark.parametrize("listed", [True, False], ids=["with listings", "plain"])
@pytest.mark.parametrize("keep", [True, False], ids=["kept", "not kept any more"])
def test_an_attribute_that_a_folder_has_no_more(desk: Desk, listed: bool, keep: bool) -> None:
    """It is not restored, whether it was removed or the later archive was made without attributes."""
    snapshot = "snapshot" if listed else None
    desk.do(f"{TREE}; setfattr -n user.gone -v 1 src/d; setfattr -n user.kept -v 2 src/d")
    desk.dump("FULL", "--format=posix", *KEEP_ALL, "src", snapshot=snapshot)
    first = attributes(desk.live)
    desk.do("setfattr -x user.gone src/d; touch src/d; echo n >src/f/n")
    desk.dump("INC", "--format=posix", *(KEEP_ALL if keep else ()), "src", snapshot=snapshot)
    desk.do("echo o >src/f/o")
    desk.dump("INC", "--format=posix", *KEEP_ALL, "src", snapshot=snapshot)
    full, inc, last = desk.points()

    assert given_alike(desk, full) == first
    assert not untrusted(desk, full)
    assert set(given_alike(desk, inc)[b"src/d"].attributes) == ({"user.kept"} if keep else set())
    assert set(given_alike(desk, last)[b"src/d"].attributes) == {"user.kept"}
    assert "src/d would keep the attribute user." in untrusted(desk, inc)


@WITH_ATTRIBUTES
def test_an_attribute_behind_an_archive_that_says_nothing_of_its_folder(desk: Desk) -> None:
    """And for a folder that was renamed meanwhile; one that changed, or is new, is no problem."""
    desk.do(f"{TREE}; mkdir other; setfattr -n user.a -v 1 src/d/e; setfattr -n user.b -v 2 src/f")
    desk.dump("FULL", "--format=posix", *KEEP_ALL, "src", "other")
    desk.do("echo o >other/o")
    desk.dump("INC", "--format=posix", *KEEP_ALL, "other")
    desk.do("setfattr -n user.b -v 3 src/f; setfattr -n user.c -v 4 src/f")
    desk.dump("INC", "--format=posix", *KEEP_ALL, "src")
    desk.do("mv src/d/e src/e; setfattr -x user.a src/e")
    desk.dump("INC", "--format=posix", *KEEP_ALL, "src")
    _, beside, changed, renamed = desk.points()

    assert not untrusted(desk, beside) + untrusted(desk, changed)
    assert "src/e would keep the attribute user.a" in untrusted(desk, renamed)
    for point in (beside, changed):
        given_alike(desk, point)
    assert given_alike(desk, renamed) == attributes(desk.live)


@WITH_ATTRIBUTES
def test_an_acl_that_a_folder_has_no_more(desk: Desk) -> None:
    """tar removes ACLs, and is trusted."""
    desk.do(f"{TREE}; setfacl -m u:1:rwx,d:u:2:rx src/d")
    desk.dump("FULL", "--format=posix", *KEEP_ALL, "src")
    desk.do("setfacl -b src/d; touch src/d")
    desk.dump("INC", "--format=posix", *KEEP_ALL, "src")

    assert not untrusted(desk)
    assert given_alike(desk) == attributes(desk.live)


CLOSED = {
    "a file changes": ("echo 2 >src/ro/x", True),
    "a file comes": ("echo n >src/ro/n", True),
    "a file goes": ("rm src/ro/x", True),
    "a folder comes": ("mkdir src/ro/new", True),
    "it goes": ("rm -r src/ro", True),
    "it is moved": ("mv src/ro src/d/ro", True),
    "it is renamed": ("mv src/ro src/rw", False),
    "something below it changes": ("chmod u+w src/ro/sub; echo 2 >src/ro/sub/y; chmod 700 src/ro/sub", False),
    "something beside it changes": ("echo 2 >src/f/z", False),
}


@AS_NOBODY
@pytest.mark.parametrize("mode", ["555", "500"])
@pytest.mark.parametrize(("change", "matters"), CLOSED.values(), ids=CLOSED)
def test_an_ordinary_user_and_a_read_only_folder(desk: Desk, change: str, matters: bool, mode: str) -> None:
    """In every way, for several archives, though tar makes nothing writable that an earlier archive made read-only."""
    closed = f"if [ -d src/ro ]; then chmod {mode} src/ro; fi; find src ! -uid 65534 -exec chown 65534:65534 {{}} +"
    desk.do(f"{TREE}; mkdir -p src/ro/sub; echo x >src/ro/x; echo y >src/ro/sub/y; {closed}")
    desk.dump("FULL", "--format=posix", "src")
    desk.do(f"{change}; {closed}")
    desk.dump("INC", "--format=posix", "src")

    assert ("an ordinary user's tar could not change src/" in untrusted(desk)) is matters
    assert given_alike(desk, as_nobody=True) == attributes(desk.live)


@AS_NOBODY
@pytest.mark.parametrize(
    ("mode", "change"),
    [("300", "echo n >src/f/n"), ("600", "echo n >src/f/n"), ("500", "echo 2 >src/ro/x"), ("500", "mkdir src/ro/sub")],
)
@pytest.mark.parametrize("listed", [True, False], ids=["with listings", "plain"])
def test_a_folder_that_its_owner_may_not_even_look_into(desk: Desk, mode: str, change: str, listed: bool) -> None:
    snapshot = "snapshot" if listed else None
    closed = f"chmod {mode} src/ro; chown -R 65534:65534 src"
    desk.do(f"{TREE}; mkdir -p src/ro; echo x >src/ro/x; {closed}")
    desk.dump("FULL", "--format=posix", "src", snapshot=snapshot)
    desk.do(f"{change}; {closed}")
    desk.dump("INC", "--format=posix", "src", snapshot=snapshot)

    assert "an ordinary user's tar could not change src/ro" in untrusted(desk)
    # without permission to read a folder, its contents cannot be compared
    if mode == "500":
        assert given_alike(desk, as_nobody=True) == attributes(desk.live)


@AS_NOBODY
@WITH_ATTRIBUTES
def test_an_ordinary_user_and_a_read_only_file_with_attributes(desk: Desk) -> None:
    """As the manual says: tar leaves it empty and ends with 2, unless attributes are left out."""
    desk.do("mkdir src; echo x >src/x; setfattr -n user.a -v 1 src/x; chmod 444 src/x; chown -R 65534:65534 src")
    desk.dump("FULL", "--format=posix", *KEEP_ALL, "src")
    tar = desk.client.get(f"{desk.url}/restore.tar").content
    for above in (desk.place, *desk.place.parents[:-2]):
        above.chmod(above.stat().st_mode | 0o111)

    for options, code, content in ((("--xattrs",), 2, ""), ((), 0, "x\n")):
        into = desk.place / f"with {len(options)}"
        into.mkdir()
        os.chown(into, 65534, 65534)
        command = [*NOBODY, "tar", "-xp", *options, "-C", str(into), "-f-"]
        assert subprocess.run(command, input=tar, capture_output=True).returncode == code
        assert (into / "src" / "x").read_text() == content


def test_the_script_says_why_the_server_merges(desk: Desk) -> None:
    desk.do(TREE)
    desk.dump("FULL", "src")
    desk.dump("INC", "src/d/x", snapshot=None)
    script = desk.client.get(f"{desk.url}/plan", params={"format": "sh"}).text

    assert "src/d would have the time of the restore" in script
