"""A directory to restore into: whose it is, what is in it, and that it stays the one that was opened."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tarkeep.adapters.local.local_tree import LocalFolderTree
from tarkeep.domain.errors.client import FolderUnusable, TargetNotEmpty
from tests.support.require import require
from tests.support.trees import write

NOBODY = 65534


@pytest.fixture
def for_all(tmp_path: Path) -> Path:
    """A directory like /tmp."""
    folder = tmp_path / "for-all"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


@pytest.mark.parametrize("kind", ["directory", "link"])
def test_what_another_user_has_put_there_is_refused(for_all: Path, kind: str) -> None:
    """Where everybody may make things he could have made it to be restored into, and change it meanwhile."""
    require("root", os.geteuid() == 0, "run this as root, which can give things to somebody else")
    target = for_all / "back"
    if kind == "link":
        target.symlink_to(for_all)
    else:
        target.mkdir()
    os.chown(target, NOBODY, NOBODY, follow_symlinks=False)

    with pytest.raises(FolderUnusable, match="belongs to another user"):
        LocalFolderTree(target).prepare(may_hold_something=True)


def test_ones_own_may_lie_anywhere(for_all: Path, tmp_path: Path) -> None:
    """Of one's own making; and root may restore for others where these alone may make things."""
    LocalFolderTree(for_all / "back").prepare(may_hold_something=False)
    if os.geteuid() == 0:
        (tmp_path / "home").mkdir()
        os.chown(tmp_path / "home", NOBODY, NOBODY)
        LocalFolderTree(tmp_path / "home").prepare(may_hold_something=False)


def test_it_stays_the_one_that_was_opened(tmp_path: Path) -> None:
    """Whatever takes its name meanwhile."""
    tree = LocalFolderTree(tmp_path / "back")
    tree.prepare(may_hold_something=False)
    identity = tree.identity
    (tmp_path / "back").rename(tmp_path / "moved")
    (tmp_path / "back").mkdir()

    subprocess.run(["touch", "here"], cwd=tree.place, check=True)

    assert list((tmp_path / "back").iterdir()) == []
    assert tree.names() == [b"here"]
    assert LocalFolderTree(tmp_path / "back").identity != identity
    with pytest.raises(TargetNotEmpty):
        tree.prepare(may_hold_something=False)


def test_links_are_found_and_not_followed(tmp_path: Path) -> None:
    """At any depth, in names of any bytes."""
    write(tmp_path / "back", {"a/b/c": b"c"})
    (tmp_path / "back" / "a" / "out").symlink_to(tmp_path)
    Path(os.fsdecode(bytes(tmp_path) + b"/back/\xff")).symlink_to("nowhere")

    assert sorted(LocalFolderTree(tmp_path / "back").links()) == [b"a/out", b"\xff"]


def test_every_path_is_told_and_folders_stay_as_they_are(tmp_path: Path) -> None:
    """Also in those that even their owner may not look into, as far as he may say so; links are not followed."""
    write(tmp_path, {"outside/kept": b"kept", "back/a/b": b"b", "back/closed/in/c": b"c"})
    (tmp_path / "back" / "link").symlink_to(tmp_path / "outside")
    for folder in ("closed/in", "closed"):
        (tmp_path / "back" / folder).chmod(0o300)
    told = list(LocalFolderTree(tmp_path / "back").paths())

    assert sorted(told) == [b"a", b"a/b", b"closed", b"closed/in", b"closed/in/c", b"link"]
    assert told.index(b"closed") < told.index(b"closed/in") < told.index(b"closed/in/c")
    assert (tmp_path / "back" / "closed").stat().st_mode & 0o777 == 0o300
    (tmp_path / "back" / "closed").chmod(0o700)
    assert (tmp_path / "back" / "closed" / "in").stat().st_mode & 0o777 == 0o300


def test_what_was_made_is_unmade_where_it_is_empty(tmp_path: Path) -> None:
    """With the folders above it that were made for it, and no others."""
    (tmp_path / "there").mkdir()
    for name in ("there", "new/one/back"):
        tree = LocalFolderTree(tmp_path / name)
        tree.make()
        tree.unmake()
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    tree = LocalFolderTree(tmp_path / "new" / "back")
    tree.make()
    write(tmp_path / "new", {"mine": b"mine"})
    tree.unmake()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine"]


def test_it_is_emptied_of_everything_and_of_nothing_else(tmp_path: Path) -> None:
    """Links go and what they lead to stays; folders of any mode and depth go."""
    write(tmp_path, {"outside/kept": b"kept", "back/a/b": b"b", "back/closed/in/c": b"c"})
    (tmp_path / "back" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "back" / "a" / "link").symlink_to(tmp_path / "outside")
    at = os.open(tmp_path / "back", os.O_RDONLY)
    for _ in range(1_200):  # deeper than any path, and than the stack
        os.mkdir("deep", dir_fd=at)
        inside = os.open("deep", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inside
    os.close(at)
    for folder in ("closed/in", "closed"):
        (tmp_path / "back" / folder).chmod(0)
    tree = LocalFolderTree(tmp_path / "back")
    tree.clear()

    assert tree.names() == []
    assert (tmp_path / "outside" / "kept").read_bytes() == b"kept"
