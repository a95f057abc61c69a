"""The folder of a restore is private, and what was opened in it is what is read, whatever is put there later."""

from __future__ import annotations

import os
import resource
from contextlib import closing
from pathlib import Path

import pytest

from tarkeep.adapters.local.own_folder import is_at
from tarkeep.adapters.local.work_folder import WorkFolder
from tarkeep.domain.errors.client import FolderUnusable, LocalFileChanged
from tests.support.archives import make_archive
from tests.support.require import require

ARCHIVE = make_archive(content=b"archive")
NOBODY = 65534


def landed(work: WorkFolder, content: bytes = b"archive") -> Path:
    with work.begin(ARCHIVE) as part:
        part.write(content)
        return Path(part.publish(replace=True).path)


@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
def test_it_is_made_for_its_owner_alone(tmp_path: Path, umask: int) -> None:
    """Its content is private, too, whatever the umask is; it is made with its parent folders."""
    require("root", os.geteuid() == 0 or umask != 0o777, "run this as root: nobody else enters a folder of mode 0")
    (tmp_path / "a").mkdir()
    before = os.umask(umask)
    try:
        with WorkFolder(tmp_path / "a" / "work") as work:
            file = landed(work)
    finally:
        os.umask(before)

    assert (tmp_path / "a" / "work").stat().st_mode & 0o077 == 0
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("mode", "reason"), [(0o777, "others may enter it"), (0o710, "others may enter it"), (0o701, "mode 701")]
)
def test_one_that_others_may_enter_is_refused(tmp_path: Path, mode: int, reason: str) -> None:
    """Even if they may only pass through; and it stays as it is."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work").chmod(mode)

    with pytest.raises(FolderUnusable, match=reason):
        WorkFolder(tmp_path / "work")
    assert (tmp_path / "work").stat().st_mode & 0o777 == mode


def test_one_of_another_user_is_refused(tmp_path: Path) -> None:
    """Even if no other user may enter it: its owner may."""
    require("root", os.geteuid() == 0, "run this as root, which can give a folder to somebody else")
    (tmp_path / "work").mkdir(mode=0o700)
    os.chown(tmp_path / "work", NOBODY, NOBODY)

    with pytest.raises(FolderUnusable, match="belongs to another user"):
        WorkFolder(tmp_path / "work")


@pytest.mark.parametrize("what", ["link", "dead link", "file"])
def test_what_is_no_folder_is_refused(tmp_path: Path, what: str) -> None:
    """Even a link to a folder of the user's own: the owner of the link can change its target."""
    place = tmp_path / "work"
    (tmp_path / "other").mkdir(mode=0o700)
    if what == "file":
        place.touch()
    else:
        place.symlink_to(tmp_path / ("other" if what == "link" else "nowhere"))

    with pytest.raises(FolderUnusable, match="is a link" if "link" in what else "Not a directory"):
        WorkFolder(place)
    assert list((tmp_path / "other").iterdir()) == []


def test_one_process_uses_it(tmp_path: Path) -> None:
    """A second restore into the same directory is refused until the first is over."""
    with WorkFolder(tmp_path / "work"), pytest.raises(FolderUnusable, match="another process is using it"):
        WorkFolder(tmp_path / "work")
    WorkFolder(tmp_path / "work").close()


def test_an_archive_that_is_held_is_the_one_that_was_looked_at(tmp_path: Path) -> None:
    """However often it is read, and whatever has taken its name or that of the folder."""
    with WorkFolder(tmp_path / "work") as work:
        file = landed(work)
        with closing(work.hold(ARCHIVE)) as held:
            assert b"".join(held.blocks()) == b"archive"
            file.rename(file.with_name("old"))
            file.write_bytes(b"another")
            (tmp_path / "work").rename(tmp_path / "moved")
            (tmp_path / "work").mkdir()

            assert b"".join(held.blocks()) == b"archive"
            assert (held.label, held.size_bytes) == (f"FULL/{ARCHIVE.id.name}", 7)


def test_what_is_planted_is_neither_followed_nor_waited_for(tmp_path: Path) -> None:
    """A link, a pipe or a folder under the name of an archive, in case one is placed there."""
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    with WorkFolder(tmp_path / "work") as work:
        file = landed(work)
        part = file.with_name(file.name + ".part")
        file.unlink()
        file.symlink_to(outside)
        with pytest.raises(FolderUnusable, match="not a regular file"):
            work.find(ARCHIVE)
        with pytest.raises(FolderUnusable):
            work.hold(ARCHIVE)
        part.symlink_to(outside)
        with pytest.raises(FolderUnusable):
            work.begin(ARCHIVE)
        part.unlink()
        os.mkfifo(part)
        with pytest.raises(FolderUnusable, match="not a regular file"):
            work.begin(ARCHIVE)
        for name in ("restore", "restore.part", "trail.part"):
            os.mkfifo(tmp_path / "work" / f"tarkeep-{name}")
        for use in (work.note, lambda: work.put_note(b"note"), work.begin_trail):
            with pytest.raises(FolderUnusable, match="not a regular file"):
                use()

    assert outside.read_bytes() == b"mine"


def test_an_archive_that_changed_is_not_read_as_the_one_that_was_found(tmp_path: Path) -> None:
    """Like any local archive."""
    with WorkFolder(tmp_path / "work") as work:
        file = landed(work)
        found = work.find(ARCHIVE)
        assert found is not None
        file.write_bytes(b"longer than it was")
        with pytest.raises(LocalFileChanged):
            work.open(found)


def test_a_note_is_kept_until_it_is_taken_back(tmp_path: Path) -> None:
    """By any process that opens the folder next."""
    with WorkFolder(tmp_path / "work") as work:
        assert work.note() is None
        work.put_note(b"first")
        work.put_note(b"second")
    with WorkFolder(tmp_path / "work") as work:
        assert work.note() == b"second"
        work.put_note(None)
        assert work.note() is None


def test_a_trail_is_what_was_kept_of_it_last(tmp_path: Path) -> None:
    """A new one replaces it once it is itself kept; and it is removed with the note."""
    with WorkFolder(tmp_path / "work") as work:
        assert b"".join(work.trail()) == b""
        with closing(work.begin_trail()) as trail:
            trail.add(b"one")
            assert b"".join(work.trail()) == b""
            trail.keep()
            trail.add(b" two")
            trail.flush()
            assert b"".join(work.trail()) == b"one two"
        with closing(work.begin_trail()) as trail:
            trail.add(b"of something that was never begun")
    with WorkFolder(tmp_path / "work") as work:
        assert b"".join(work.trail()) == b"one two"
        work.put_note(b"note")
        work.put_note(None)
        assert b"".join(work.trail()) == b""


def test_it_does_not_stay_where_nothing_was_put_into_it(tmp_path: Path) -> None:
    """An empty folder would puzzle its owner; and a process that opened it meanwhile is not left with a removed one."""
    with WorkFolder(tmp_path / "work"):
        assert (tmp_path / "work").is_dir()
    assert not (tmp_path / "work").exists()


def test_it_is_removed_with_what_was_put_there_alone(tmp_path: Path) -> None:
    """The user may have named a folder of their own; and a folder that has replaced it is left alone."""
    with WorkFolder(tmp_path / "work") as work:
        landed(work)
        work.put_note(b"note")
        (tmp_path / "work" / "mine").touch()
        work.remove()
        assert [path.name for path in (tmp_path / "work").iterdir()] == ["mine"]
        (tmp_path / "work" / "mine").unlink()
        (tmp_path / "work").rename(tmp_path / "moved")
        (tmp_path / "work").mkdir()
        work.remove()
        assert (tmp_path / "work").exists()
    with WorkFolder(tmp_path / "moved") as work:
        assert is_at(work._folder, tmp_path / "moved")
        work.remove()
    assert not (tmp_path / "moved").exists()


def test_a_long_chain_may_take_more_files_than_a_process_usually_has(tmp_path: Path) -> None:
    """The limit is raised as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with WorkFolder(tmp_path / "work") as work:
        landed(work)
        held = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 4, hard))
            held += [work.hold(ARCHIVE) for _ in range(40)]
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for one in held:
                one.close()
    assert len(held) == 40
