"""What every `LocalTree` promises."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tarkeep.domain.client.ports.local_tree import LocalTree
from tarkeep.domain.errors.client import FolderUnusable, TargetNotEmpty
from tests.support.histories import History, Step, steps
from tests.support.require import require
from tests.support.trees import described, write

NOBODY = 65534
INHERITED = settings(
    max_examples=30, suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture]
)


class LocalTreeContract:
    """A subclass gives the fixture *tree_at*, which gives the tree at a path of this machine."""

    @pytest.fixture
    def for_all(self, tmp_path: Path) -> Path:
        """A directory like /tmp."""
        folder = tmp_path / "for-all"
        folder.mkdir()
        folder.chmod(0o1777)
        return folder

    # -- made, opened and unmade ---------------------------------------------------------------------------------------

    def test_it_is_made_where_it_is_not_there(self, tree_at: Callable[[Path], LocalTree], tmp_path: Path) -> None:
        """With its parent folders, any number of times; a file is refused."""
        tree = tree_at(tmp_path / "new" / "target")
        for _ in range(2):
            tree.prepare(may_hold_something=False)
            tree.make()
        assert (tmp_path / "new" / "target").is_dir()

        (tmp_path / "file").touch()
        with pytest.raises(FolderUnusable):
            tree_at(tmp_path / "file").prepare(may_hold_something=True)
        with pytest.raises(FolderUnusable):
            tree_at(tmp_path / "file").make()

    def test_it_is_empty_or_that_is_said(self, tree_at: Callable[[Path], LocalTree], tmp_path: Path) -> None:
        """Asking changes nothing."""
        write(tmp_path / "target", {"mine": b"mine"})
        with pytest.raises(TargetNotEmpty):
            tree_at(tmp_path / "target").prepare(may_hold_something=False)
        tree = tree_at(tmp_path / "target")
        tree.prepare(may_hold_something=True)
        tree.make()
        assert (tmp_path / "target" / "mine").read_bytes() == b"mine"
        with pytest.raises(TargetNotEmpty):
            tree.prepare(may_hold_something=False)

    @pytest.mark.parametrize("kind", ["directory", "link"])
    def test_what_another_user_has_put_there_is_refused(
        self, tree_at: Callable[[Path], LocalTree], for_all: Path, kind: str
    ) -> None:
        """In a world-writable directory they could have made it as a trap, and could change it meanwhile."""
        require("root", os.geteuid() == 0, "run this as root, which can give files to another user")
        target = for_all / "back"
        if kind == "link":
            target.symlink_to(for_all)
        else:
            target.mkdir()
        os.chown(target, NOBODY, NOBODY, follow_symlinks=False)

        with pytest.raises(FolderUnusable, match="belongs to another user"):
            tree_at(target).prepare(may_hold_something=True)

    def test_ones_own_may_lie_anywhere(
        self, tree_at: Callable[[Path], LocalTree], for_all: Path, tmp_path: Path
    ) -> None:
        """A directory of the same user; and root may restore into a directory where only its owner can write."""
        tree_at(for_all / "back").prepare(may_hold_something=False)
        if os.geteuid() == 0:
            (tmp_path / "home").mkdir()
            os.chown(tmp_path / "home", NOBODY, NOBODY)
            tree_at(tmp_path / "home").prepare(may_hold_something=False)

    def test_it_stays_the_one_that_was_opened(self, tree_at: Callable[[Path], LocalTree], tmp_path: Path) -> None:
        """Even if another one takes its name: for child processes, and for all methods."""
        tree = tree_at(tmp_path / "back")
        tree.prepare(may_hold_something=False)
        identity = tree.identity
        (tmp_path / "back").rename(tmp_path / "moved")
        write(tmp_path / "back", {"other": b"other"})

        subprocess.run(["touch", "here"], cwd=tree.place, check=True)

        assert tree.names() == [b"here"]
        assert list(tree.paths()) == [b"here"]
        assert [entry.path for entry in tree.entries()] == [b"here"]
        assert [entry.path for entry in tree.entries(b"here")] == [b"here"]
        assert tree.identity == identity != tree_at(tmp_path / "back").identity
        assert tree_at(tmp_path / "moved").identity == identity
        with pytest.raises(TargetNotEmpty):
            tree.prepare(may_hold_something=False)
        tree.clear()
        assert [path.name for path in (tmp_path / "back").iterdir()] == ["other"]
        assert list((tmp_path / "moved").iterdir()) == []

    def test_what_was_made_is_unmade_where_it_is_empty(
        self, tree_at: Callable[[Path], LocalTree], tmp_path: Path
    ) -> None:
        """With the parent folders that were made for it, and no others."""
        (tmp_path / "there").mkdir()
        for name in ("there", "new/one/back"):
            tree = tree_at(tmp_path / name)
            tree.make()
            tree.unmake()
        assert [path.name for path in tmp_path.iterdir()] == ["there"]
        tree = tree_at(tmp_path / "new" / "back")
        tree.make()
        write(tmp_path / "new", {"mine": b"mine"})
        tree.unmake()
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine"]

    # -- contents ------------------------------------------------------------------------------------------------------

    @INHERITED
    @given(steps(most=12, growing=False, odd=True))
    def test_everything_in_it_is_listed(
        self, tree_at: Callable[[Path], LocalTree], tmp_path_factory: pytest.TempPathFactory, what: list[Step]
    ) -> None:
        """With any names and at any depth, without following links; and the tree is left unchanged."""
        history = History(tmp_path_factory.mktemp("history"))
        history.go_through(what)
        before = described(history.root)
        tree = tree_at(history.root)
        found = {entry.path: entry for entry in tree.entries()}

        expected = {os.fsencode(path.relative_to(history.root)): path for path in history.root.rglob("*")}
        assert found.keys() == expected.keys()
        for path, entry in found.items():
            status = expected[path].lstat()
            assert (entry.size_bytes, entry.mtime_ns, entry.inode) == (
                status.st_size,
                status.st_mtime_ns,
                status.st_ino,
            )
            assert (entry.type == "directory") is stat.S_ISDIR(status.st_mode)
            assert (entry.type == "file") is stat.S_ISREG(status.st_mode)
            assert (entry.type == "symlink") is stat.S_ISLNK(status.st_mode)
            assert entry.link == (os.fsencode(expected[path].readlink()) if entry.type == "symlink" else b"")
            below = {one.path for one in tree.entries(path)}
            assert below == {one for one in expected if one == path or one.startswith(path + b"/")}
        assert sorted(tree.names()) == sorted(path for path in expected if b"/" not in path)
        assert sorted(tree.links()) == sorted(path for path, at in expected.items() if at.is_symlink())
        order = list(tree.paths())
        assert sorted(order) == sorted(expected)
        assert all(order.index(path.rpartition(b"/")[0]) < order.index(path) for path in order if b"/" in path)
        assert described(history.root) == before

    def test_a_missing_path_has_no_entries(self, tree_at: Callable[[Path], LocalTree], tmp_path: Path) -> None:
        """Neither at a missing name, nor below one that is no directory."""
        write(tmp_path / "back", {"a/b": b"b"})
        tree = tree_at(tmp_path / "back")
        for path in (b"nothing", b"a/nothing", b"a/b/c", b"nothing/at/all"):
            assert list(tree.entries(path)) == []

    def test_a_link_on_the_way_is_not_followed(self, tree_at: Callable[[Path], LocalTree], tmp_path: Path) -> None:
        """Files behind it are not in the tree."""
        write(tmp_path, {"outside/kept": b"kept", "back/a/b": b"b"})
        (tmp_path / "back" / "link").symlink_to(tmp_path / "outside")
        tree = tree_at(tmp_path / "back")

        assert [entry.path for entry in tree.entries(b"link")] == [b"link"]
        assert list(tree.entries(b"link/kept")) == []

    def test_every_path_is_listed_and_folders_stay_as_they_are(
        self, tree_at: Callable[[Path], LocalTree], tmp_path: Path
    ) -> None:
        """
        Also folders that their owner has no permission to read, if the owner may change that; and if the walk is broken
        off.
        """
        write(tmp_path, {"back/a/b": b"b", "back/closed/in/c": b"c"})
        for folder in ("closed/in", "closed"):
            (tmp_path / "back" / folder).chmod(0o300)
        told = list(tree_at(tmp_path / "back").paths())
        asking = tree_at(tmp_path / "back").paths()
        while next(asking) != b"closed/in/c":
            pass
        asking.close()

        assert sorted(told) == [b"a", b"a/b", b"closed", b"closed/in", b"closed/in/c"]
        assert (tmp_path / "back" / "closed").stat().st_mode & 0o777 == 0o300
        (tmp_path / "back" / "closed").chmod(0o700)
        assert (tmp_path / "back" / "closed" / "in").stat().st_mode & 0o777 == 0o300

    def test_it_is_emptied_of_everything_and_of_nothing_else(
        self, tree_at: Callable[[Path], LocalTree], tmp_path: Path
    ) -> None:
        """Links are removed and their targets stay; folders of any mode and depth are removed."""
        write(tmp_path, {"outside/kept": b"kept", "back/a/b": b"b", "back/closed/in/c": b"c"})
        (tmp_path / "back" / "link").symlink_to(tmp_path / "outside")
        (tmp_path / "back" / "a" / "link").symlink_to(tmp_path / "outside")
        at = os.open(tmp_path / "back", os.O_RDONLY)
        for _ in range(1_200):  # deeper than the longest path, and than the stack
            os.mkdir("deep", dir_fd=at)
            inside = os.open("deep", os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = inside
        os.close(at)
        for folder in ("closed/in", "closed"):
            (tmp_path / "back" / folder).chmod(0)
        tree = tree_at(tmp_path / "back")
        tree.clear()

        assert tree.names() == []
        assert (tmp_path / "outside" / "kept").read_bytes() == b"kept"
