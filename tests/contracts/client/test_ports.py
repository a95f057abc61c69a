"""The adapters of the client keep the contracts of its ports."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from attrs import evolve, frozen

from tarkeep.adapters.local.archive_folder import LocalFolder
from tarkeep.adapters.local.landing_folder import LandingFolder
from tarkeep.adapters.local.memory_file import ClientMemory
from tarkeep.adapters.local.work_folder import NoDigests, WorkFolder
from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.client.ports.memory import DigestCache, UploadNotes
from tarkeep.domain.errors.client import FolderUnusable
from tests.contracts.client.landing import ARCHIVE, LandingContract, LandingDoor
from tests.contracts.client.local_archives import ARCHIVE as LOCAL
from tests.contracts.client.local_archives import (
    NOTE,
    DigestCacheContract,
    FolderDoor,
    LocalArchivesContract,
    UploadNotesContract,
)
from tests.support.harm import put_instead


class _LandingDoor:
    """The files in a landing folder; *_place* says where."""

    def lay(self, archive: BackupArchive, content: bytes) -> None:
        place = self._place(archive)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def bytes_of(self, archive: BackupArchive) -> bytes | None:
        place = self._place(archive)
        return place.read_bytes() if place.exists() else None

    def part_of(self, archive: BackupArchive) -> bytes | None:
        part = Path(f"{self._place(archive)}.part")
        return part.read_bytes() if part.exists() else None

    def _place(self, archive: BackupArchive) -> Path:
        raise NotImplementedError


@frozen
class LandingFolderDoor(_LandingDoor):
    landing: LandingFolder

    def _place(self, archive: BackupArchive) -> Path:
        return self.landing.path / archive.id.type.value / archive.id.name


@frozen
class WorkFolderDoor(_LandingDoor):
    landing: WorkFolder

    def _place(self, archive: BackupArchive) -> Path:
        return self.landing.path / f"tarkeep-{archive.id.type.value}-{archive.id.name}"


@frozen
class LocalFolderDoor:
    files: LocalFolder

    def lay(self, type: str, name: str, content: bytes) -> None:
        file = self.files.path / type / name
        file.parent.mkdir(exist_ok=True)
        new = file.with_name("new")
        new.write_bytes(content)
        new.replace(file)

    def change(self, type: str, name: str, how: str) -> None:
        path = self.files.path / type / name
        size = path.stat().st_size
        if how == "replaced":
            return self.lay(type, name, bytes(size))
        with path.open("r+b") as file:
            match how:
                case "grown":
                    file.seek(0, os.SEEK_END)
                    file.write(b"more")
                case "shortened":
                    file.truncate(size - 1)
                case "emptied":
                    file.truncate(0)
                case "overwritten":
                    file.write(b"other")
        return None

    def remove(self, type: str, name: str) -> None:
        (self.files.path / type / name).unlink()

    def vanish(self) -> None:
        shutil.rmtree(self.files.path)

    def spoil(self, place: str, how: str) -> str:
        path = self.files.path / place
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        put_instead(path, how)
        return str(path)


class TestLandingFolder(LandingContract):
    @pytest.fixture
    def door(self, tmp_path: Path) -> LandingDoor:
        return LandingFolderDoor(LandingFolder(tmp_path / "landing"))


class TestWorkFolder(LandingContract):
    @pytest.fixture
    def door(self, tmp_path: Path) -> Iterator[LandingDoor]:
        with WorkFolder(tmp_path / "work") as work:
            yield WorkFolderDoor(work)


class TestLocalFolder(LocalArchivesContract):
    @pytest.fixture
    def door(self, tmp_path: Path) -> FolderDoor:
        (tmp_path / "backups").mkdir()
        return LocalFolderDoor(LocalFolder(tmp_path / "backups"))


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Callable[[], ClientMemory]]:
    with ExitStack() as stack:

        def opened() -> ClientMemory:
            one = ClientMemory(tmp_path / "state" / "client.sqlite")
            stack.callback(one.close)
            return one

        yield opened


class TestClientMemoryOfDigests(DigestCacheContract):
    @pytest.fixture
    def reopened(self, memory: Callable[[], ClientMemory]) -> Callable[[], DigestCache]:
        return memory


class TestNoDigests(DigestCacheContract):
    @pytest.fixture
    def reopened(self) -> Callable[[], DigestCache]:
        return NoDigests


class TestClientMemoryOfUploads(UploadNotesContract):
    @pytest.fixture
    def reopened(self, memory: Callable[[], ClientMemory]) -> Callable[[], UploadNotes]:
        return lambda: memory().notes


# -- tests of these adapters alone ------------------------------------------------------------------------------------


def test_a_landed_archive_is_as_old_as_its_dump(tmp_path: Path) -> None:
    """So the newest file is the newest dump; and only its owner may read it."""
    landing = LandingFolder(tmp_path)
    with landing.begin(ARCHIVE) as part:
        part.write(b"x")
        part.publish(replace=False)

    found = (tmp_path / "FULL" / ARCHIVE.id.name).stat()
    assert found.st_mtime == ARCHIVE.taken_at.timestamp()
    assert found.st_mode & 0o777 == 0o600


def test_a_part_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    """A link under the name of a part never leads to writing another file."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / "FULL").mkdir()
    (tmp_path / "FULL" / f"{ARCHIVE.id.name}.part").symlink_to(victim)

    with pytest.raises(FolderUnusable):
        LandingFolder(tmp_path).begin(ARCHIVE)
    assert victim.read_bytes() == b"mine"


@pytest.mark.parametrize("what", ["pipe", "pipe that is read", "folder", "socket"])
def test_a_part_that_is_no_file_is_refused(tmp_path: Path, what: str) -> None:
    """With its name and at once: it cannot be continued, and opening a pipe would wait for ever."""
    part = tmp_path / "FULL" / f"{ARCHIVE.id.name}.part"
    part.parent.mkdir()
    with ExitStack() as kept:
        if what == "folder":
            part.mkdir()
        elif what == "socket":
            os.mknod(part, stat.S_IFSOCK | 0o600)
        else:
            os.mkfifo(part)
        if what == "pipe that is read":
            kept.callback(os.close, os.open(part, os.O_RDONLY | os.O_NONBLOCK))

        said = re.escape(f"{part} cannot be used: it is not a regular file; remove it")
        with pytest.raises(FolderUnusable, match=said):
            LandingFolder(tmp_path).begin(ARCHIVE)


def test_unfinished_parts_are_listed(tmp_path: Path) -> None:
    """Those of archives, and no other files with that ending."""
    landing = LandingFolder(tmp_path)
    with landing.begin(ARCHIVE) as part:
        part.write(b"x")
    (tmp_path / "FULL" / "letter.part").write_bytes(b"")

    assert landing.unfinished() == [tmp_path / "FULL" / f"{ARCHIVE.id.name}.part"]


@pytest.mark.parametrize("state", ["garbage", "a folder", "a pipe", "below a file"])
def test_an_unusable_memory_is_an_empty_one(tmp_path: Path, state: str) -> None:
    """That only costs work; a garbage file is replaced."""
    file = tmp_path / "client.sqlite"
    if state == "garbage":
        file.write_bytes(os.urandom(5000))
    elif state == "a folder":
        file.mkdir()
    elif state == "a pipe":
        os.mkfifo(file)
    else:
        file.write_bytes(b"")
        file = file / "client.sqlite"

    memory = ClientMemory(file)
    memory.put(LOCAL, "a" * 64)
    memory.notes.put(NOTE)
    assert memory.get(LOCAL) == ("a" * 64 if state == "garbage" else None)
    assert memory.notes.all(NOTE.server) == ([NOTE] if state == "garbage" else [])
    memory.close()
    memory.close()
    assert memory.get(LOCAL) is None


def test_a_file_modified_just_now_is_not_remembered(tmp_path: Path) -> None:
    """Nor one changed in another way: it may change again within the same clock tick, and look the same."""
    hour_ns = 3600 * 10**9
    now_ns = LOCAL.modified_ns + 40_000_000
    whole_seconds = evolve(LOCAL, modified_ns=now_ns - hour_ns, changed_ns=now_ns // 10**9 * 10**9)
    for fresh in (LOCAL, whole_seconds):
        memory = ClientMemory(tmp_path / "client.sqlite", now_ns=lambda: now_ns)
        memory.put(fresh, "a" * 64)

        assert memory.get(fresh) is None
        memory.close()


def test_what_older_versions_remembered_is_worth_nothing(tmp_path: Path) -> None:
    """They could not detect other bytes with the same size, inode and modification time."""
    file = tmp_path / "client.sqlite"
    ClientMemory(file).close()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        version = f"{LOCAL.size_bytes} {LOCAL.modified_ns} {LOCAL.inode}"
        other.execute("INSERT INTO digest VALUES (?, ?, ?)", (LOCAL.path, version, "a" * 64))
    with closing(ClientMemory(file)) as memory:
        assert memory.get(LOCAL) is None


def test_digests_are_remembered(memory: Callable[[], ClientMemory]) -> None:
    """At once and in the next run; otherwise every run would read everything again."""
    cache = memory()
    cache.put(LOCAL, "a" * 64)
    assert cache.get(LOCAL) == memory().get(LOCAL) == "a" * 64
    memory().put(LOCAL, "b" * 64)
    assert cache.get(LOCAL) == "b" * 64


def test_paths_that_are_no_text_are_remembered(tmp_path: Path) -> None:
    """A folder may have any name; and no two paths are confused."""
    paths = [os.fsdecode(b"/b\xff/a.tar.gz"), "/b\\xff/a.tar.gz", os.fsdecode(b"/b\xfe/a.tar.gz"), "/b\n/a.tar.gz"]
    with closing(ClientMemory(tmp_path / "client.sqlite")) as memory:
        for number, path in enumerate(paths):
            memory.put(evolve(LOCAL, path=path), f"{number}" * 64)
        found = [memory.get(evolve(LOCAL, path=path)) for path in paths]

    assert found == [f"{number}" * 64 for number in range(len(paths))]


def test_a_locked_memory_is_waited_for_once(tmp_path: Path) -> None:
    """Then the run remembers nothing, which only costs work."""
    file = tmp_path / "client.sqlite"
    with closing(ClientMemory(file, patience_seconds=0.01)) as memory:
        memory.put(LOCAL, "a" * 64)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert memory.get(LOCAL) is None
        assert memory.get(LOCAL) is None
    with closing(ClientMemory(file)) as memory:
        assert memory.get(LOCAL) == "a" * 64


def test_notes_are_forgotten_when_no_server_can_have_the_upload(tmp_path: Path) -> None:
    """An upload that has lain for more than a month is never continued."""
    times = iter([10**18, 10**18 + 29 * 86400 * 10**9, 10**18 + 31 * 86400 * 10**9])
    with closing(ClientMemory(tmp_path / "client.sqlite", now_ns=lambda: next(times))) as memory:
        left = []
        for number in range(3):
            memory.notes.put(evolve(NOTE, address=f"http://server/{number}"))
            left.append(len(memory.notes.all(NOTE.server)))

    assert left == [1, 2, 2]
