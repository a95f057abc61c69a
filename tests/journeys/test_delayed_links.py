"""
Folders that hold links which GNU tar makes last, to absolute targets or upwards: they keep their times.

By every way of restoring, of root and of an ordinary user, for whole points and for parts of them.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.journeys.test_attributes import attributes
from tests.journeys.test_traces import AS_NOBODY, Found, given_alike, times
from tests.support.desk import Desk

OLD = "find src -depth -exec touch -h -d 2011-11-11 {} +"
TREE = (
    "mkdir -p src/d/e src/f/g src/h; echo x >src/d/x; echo y >src/d/e/y; echo z >src/f/z; ln -s x src/d/beside; "
    "ln -s /etc/passwd src/d/absolute; ln -s ../../f/z src/d/e/up; ln -s e/../x src/d/within; "
    "ln -s /gone src/f/g/gone; "
    f"{OLD}"
)


@pytest.mark.parametrize("listed", [True, False], ids=["with listings", "plain"])
@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_their_folders_keep_their_times(desk: Desk, form: str, listed: bool) -> None:
    """At the FULL, and later, when some are unchanged and some are new."""
    snapshot = "snapshot" if listed else None
    desk.do(TREE)
    desk.dump("FULL", f"--format={form}", "src", snapshot=snapshot)
    first = attributes(desk.live, 10**9)
    desk.do(f"ln -s /tmp src/h/new; echo X >src/d/x; ln -sfn ../../d src/f/g/gone; {OLD}; touch -d 2012-12-12 src/h")
    desk.dump("INC", f"--format={form}", "src", snapshot=snapshot)
    full, inc = desk.points()

    assert seconds(given_alike(desk, full)) == first
    assert seconds(given_alike(desk, inc)) == attributes(desk.live, 10**9)


def seconds(found: Found) -> Found:
    return {path: look._replace(time=look.time // 10**9) for path, look in found.items()}


@AS_NOBODY
def test_an_ordinary_user_gets_them_in_a_folder_that_is_read_only(desk: Desk) -> None:
    desk.do(f"{TREE}; chmod 555 src/d/e src/f/g; chown -hR 65534:65534 src")
    desk.dump("FULL", "--format=posix", "src")

    assert given_alike(desk, as_nobody=True) == attributes(desk.live)


def test_one_that_has_several_names(desk: Desk) -> None:
    """In folders above and beside each other; all of them are one link afterwards."""
    desk.do("mkdir -p src/a/b/c src/d; ln -s /etc/passwd src/d/l")
    desk.do(f"ln -P src/d/l src/a/b/c/l; ln -P src/d/l src/a/l; ln -P src/d/l src/l; ln -P src/d/l src/d/k; {OLD}")
    desk.dump("FULL", "--format=posix", "src")

    assert given_alike(desk) == attributes(desk.live)


def test_a_part_of_the_tree(desk: Desk) -> None:
    """A folder with such links, and one of the links by itself."""
    desk.do(TREE)
    desk.dump("FULL", "--format=posix", "src")
    expected = times(attributes(desk.live))

    for path in ("src/d", "src/f/g", "src/d/absolute"):
        into = desk.place / path.replace("/", "-")
        into.mkdir()
        part = desk.client.get(f"{desk.url}/restore.tar", params={"path": path})
        subprocess.run(["tar", "-xpC", str(into)], input=part.content, check=True, capture_output=True)
        found = times(attributes(into))
        assert path in found
        assert {name: time for name, time in found.items() if name.startswith(path)} == {
            name: time for name, time in expected.items() if name.startswith(path)
        }
    assert (desk.place / "src-d-absolute" / "src/d/absolute").readlink() == Path("/etc/passwd")


def test_a_folder_without_a_member(desk: Desk) -> None:
    """Nothing tells its time, but its links are restored."""
    desk.do(TREE)
    desk.dump("FULL", "--format=posix", "src/d/absolute", "src/d/e", snapshot=None)

    found = desk.given_back()
    assert found is not None
    assert found[b"src/d/absolute"] == ("symlink", b"/etc/passwd")
    with desk.restored() as ways:
        for place in ways.values():
            assert times(attributes(place))["src/d/e"] == times(attributes(desk.live))["src/d/e"]


def test_beside_a_name_that_tar_must_not_extract(desk: Desk) -> None:
    """Then nothing is noted of the links of the archive, and all its members are looked through."""
    desk.do(TREE)
    desk.dump("FULL", "--format=posix", "-P", "--transform=s,^src/f/z,/z,", "src", snapshot=None)
    (point,) = desk.points().values()

    assert "is absolute" in point["distrust"]
    found, live = times(given_alike(desk)), times(attributes(desk.live))
    assert all(found[path] == live[path] for path in ("src/d", "src/d/e", "src/f/g"))
