"""
Promises of the filesystem store beyond the port: the files a person finds on the disk, and the order of system calls.

The order is observed, and faults are injected, with strace around a child process: nothing of the store is replaced.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.domain.errors.archives import AlreadyPublished
from tarkeep.domain.errors.capacity import BackendUnavailable, InsufficientStorage
from tarkeep.domain.errors.settings import DataDirectoryInUse
from tarkeep.domain.errors.uploads import StagedBytesMissing
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.ports.store import StoredArchive
from tests.support.archives import make_targz
from tests.support.clocks import SequenceIds
from tests.support.require import require
from tests.support.store_doors import SOON, FilesystemDoor

ID = ArchiveId("document", BackupType.FULL, "full_2025-11-21_09-07-19.tar.gz")
OTHER = ArchiveId("document", BackupType.INC, "inc_2025-11-22_09-07-19.tar.gz")

PUBLISH_ONE = """
import os, sys
from pathlib import Path
from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.domain.archives.archive import ArchiveId, BackupType
from tarkeep.domain.tarkeep_error import TarkeepError
store = FilesystemArchiveStore.open(Path(sys.argv[1]), ids=RandomIds())
os.write(1, b"opened\\n")
try:
    with store.begin() as writer:
        writer.write(b"bytes")
        writer.seal(b"about")
        writer.publish(ArchiveId("document", BackupType.FULL, "full_2025-11-21_09-07-19.tar.gz"))
        os.write(1, b"published\\n")
except TarkeepError as error:
    os.write(1, f"{type(error).__name__} {error}\\n".encode())
"""

SEAL_AGAIN = """
import os, sys
from pathlib import Path
from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.adapters.process.clock_and_ids import RandomIds
store = FilesystemArchiveStore.open(Path(sys.argv[1]), ids=RandomIds())
os.write(1, b"opened\\n")
with store.begin() as writer:
    writer.write(b"bytes")
    writer.seal(b"one")
    writer.seal(b"two")
    writer.write(b"more")
    writer.seal(b"three")
"""


@pytest.fixture
def door(tmp_path: Path) -> Iterator[FilesystemDoor]:
    with closing(FilesystemDoor(tmp_path / "data")) as door:
        yield door


def put(store: FilesystemArchiveStore, id: ArchiveId, content: bytes, sidecar: bytes = b"{}") -> None:
    with store.begin() as writer:
        writer.write(content)
        writer.seal(sidecar)
        writer.publish(id)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# -- what a person finds ---------------------------------------------------------------------------------------------


def test_an_archive_is_a_plain_file_where_its_identity_says(door: FilesystemDoor) -> None:
    """DATA/archives/profile/TYPE/name, read with nothing but tar, and the side-car beside it."""
    put(door.store, ID, make_targz({"notes.txt": b"remember"}), b'{"about": "it"}')
    path = door.path / "archives" / "document" / "FULL" / "full_2025-11-21_09-07-19.tar.gz"
    listed = subprocess.run(["tar", "tzf", path], capture_output=True, check=True)

    assert listed.stdout == b"notes.txt\n"
    assert path.with_name(path.name + ".json").read_bytes() == b'{"about": "it"}'
    assert sorted(entry.name for entry in path.parent.iterdir()) == [path.name, path.name + ".json"]


def test_archives_are_read_only_and_directories_private(door: FilesystemDoor) -> None:
    """0400 for files that never change, 0700 for their folders, and no second name left in staging."""
    put(door.store, ID, b"bytes")

    assert mode(door.file(ID)) == 0o400
    assert mode(door.sidecar(ID)) == 0o400
    assert mode(door.file(ID).parent) == mode(door.file(ID).parent.parent) == 0o700
    assert door.file(ID).stat().st_nlink == 1


def test_staged_bytes_are_private_and_frozen_by_seal(door: FilesystemDoor) -> None:
    """Other users cannot read a staged archive; once sealed, it is as read-only as it will be."""
    with door.store.begin() as writer:
        writer.write(b"bytes")
        [part] = (door.path / "staging").iterdir()
        written = mode(part)
        writer.seal(b"{}")

        assert (written, mode(part)) == (0o600, 0o400)


def test_a_refused_publish_leaves_the_very_same_files(door: FilesystemDoor) -> None:
    """Neither the bytes nor the side-car of the stored archive are replaced, not even by equal ones."""
    put(door.store, ID, b"bytes")
    before = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in (door.file(ID), door.sidecar(ID))]
    with pytest.raises(AlreadyPublished):
        put(door.store, ID, b"bytes")

    assert before == [(path.stat().st_ino, path.stat().st_mtime_ns) for path in (door.file(ID), door.sidecar(ID))]


def test_archives_put_there_by_hand_are_found(door: FilesystemDoor) -> None:
    """The folder is the truth: every file with a valid name in a valid place is an archive, without a side-car."""
    door.file(OTHER).parent.mkdir(parents=True)
    door.file(OTHER).write_bytes(b"copied here")

    assert list(door.store.scan()) == [StoredArchive(OTHER, 11, None)]


def test_a_store_is_owned_by_one(door: FilesystemDoor) -> None:
    """Opening a store takes the data directory, closing releases it."""
    with pytest.raises(DataDirectoryInUse):
        FilesystemArchiveStore.open(door.path, ids=SequenceIds())
    door.store.close()
    FilesystemArchiveStore.open(door.path, ids=SequenceIds()).close()


# -- nothing leads out of the store ----------------------------------------------------------------------------------


def test_a_sidecar_that_is_a_link_is_not_read(door: FilesystemDoor, tmp_path: Path) -> None:
    """A symbolic link in place of a side-car counts as no side-car."""
    (tmp_path / "secret").write_bytes(b"secret")
    put(door.store, ID, b"bytes")
    door.sidecar(ID).unlink()
    door.sidecar(ID).symlink_to(tmp_path / "secret")

    assert door.store.stat(ID).sidecar is None
    assert list(door.store.scan()) == [StoredArchive(ID, 5, None)]


def test_nothing_is_published_through_a_link(door: FilesystemDoor, tmp_path: Path) -> None:
    """A profile that is a symbolic link to elsewhere takes no archive, and nothing is written there."""
    (tmp_path / "elsewhere").mkdir()
    (door.path / "archives" / "document").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BackendUnavailable):
        put(door.store, ID, b"bytes")

    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert door.staging_is_empty()


@pytest.mark.parametrize("kind", ["directory", "link", "pipe"])
def test_what_is_no_archive_in_its_place_is_not_overwritten(door: FilesystemDoor, kind: str) -> None:
    """Publishing fails, the foreign thing stays, and no side-car is put beside it."""
    door.file(ID).parent.mkdir(parents=True)
    if kind == "directory":
        door.file(ID).mkdir()
    elif kind == "link":
        door.file(ID).symlink_to("nowhere")
    else:
        os.mkfifo(door.file(ID))
    with pytest.raises(BackendUnavailable) as caught:
        put(door.store, ID, b"bytes")

    assert str(caught.value) == "the store is not available: File exists"
    assert [entry.name for entry in door.file(ID).parent.iterdir()] == [ID.name]
    assert door.staging_is_empty()


def test_sweep_leaves_foreign_things_in_staging_alone(door: FilesystemDoor, tmp_path: Path) -> None:
    """Only files of writers are dropped: neither other files, nor directories, nor the targets of links."""
    staging = door.path / "staging"
    (tmp_path / "precious").write_bytes(b"precious")
    (staging / "README").touch()
    (staging / "uploads.part").mkdir()
    (staging / "link.part").symlink_to(tmp_path / "precious")
    (staging / "dead.part").touch()
    (staging / "dead.json").touch()
    swept = door.store.sweep(SOON)

    assert swept == 1
    assert sorted(entry.name for entry in staging.iterdir()) == ["README", "link.part", "uploads.part"]
    assert (tmp_path / "precious").exists()


def test_sweep_judges_an_archive_by_its_latest_file(door: FilesystemDoor) -> None:
    """A side-car sealed just now keeps bytes that were written long ago."""
    staging = door.path / "staging"
    for name in ("slow.part", "slow.json", "dead.part"):
        (staging / name).touch()
    for name in ("slow.part", "dead.part"):
        os.utime(staging / name, (0, 0))
    swept = door.store.sweep(SOON.replace(year=2000))

    assert swept == 1
    assert sorted(entry.name for entry in staging.iterdir()) == ["slow.json", "slow.part"]


def test_resuming_never_writes_to_what_was_published(door: FilesystemDoor) -> None:
    """A crash may leave in staging the name of an upload that became an archive: its bytes count as gone from there."""
    door.publish_leaving_a_staged_name(ID, "upload", b"bytes of an archive")
    with pytest.raises(StagedBytesMissing):
        door.store.resume("upload", 5)

    assert door.file(ID).read_bytes() == b"bytes of an archive"
    assert mode(door.file(ID)) == 0o400


# -- a medium that is full or fails ----------------------------------------------------------------------------------


@pytest.fixture
def small_medium(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = shutil.which("mount") is not None and (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], capture_output=True, check=False
        ).returncode
        == 0
    )
    require("tmpfs", mounted, "run as root where mounting a tmpfs is allowed")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_medium_keeps_nothing_of_the_archive_and_takes_the_next(small_medium: Path) -> None:
    """The error says that there is no space; staging is empty afterwards, and a smaller archive fits."""
    with closing(FilesystemDoor(small_medium / "data")) as door:
        put(door.store, OTHER, b"before" * 1000)
        with pytest.raises(InsufficientStorage):
            put(door.store, ID, b"x" * (2 << 20))

        assert door.staging_is_empty()
        assert door.open_files() == 0
        assert [entry.id for entry in door.store.scan()] == [OTHER]

        put(door.store, ID, b"y" * (500 << 10))

        assert door.store.stat(ID).size_bytes == 500 << 10


def test_a_writer_that_failed_once_does_not_go_on(small_medium: Path) -> None:
    """After a lost block neither writing, sealing nor publishing can make an archive with a hole, even with space."""
    with closing(FilesystemDoor(small_medium / "data")) as door:
        put(door.store, OTHER, b"x" * (700 << 10))
        with door.store.begin() as writer:
            writer.write(b"a" * 1000)
            with pytest.raises(InsufficientStorage):
                writer.write(b"b" * (1 << 20))
            door.store.remove(OTHER)
            with pytest.raises(BackendUnavailable):
                writer.write(b"c")
            with pytest.raises(BackendUnavailable):
                writer.seal(b"{}")
            with pytest.raises(BackendUnavailable):
                writer.publish(ID)

        assert list(door.store.scan()) == []
        assert door.staging_is_empty()


# -- the order of system calls ---------------------------------------------------------------------------------------

_CALLS = "fsync,fdatasync,linkat,mkdirat,unlink,unlinkat,write"


class Trace:
    """
    The system calls of a child that runs *script* on a store, `PUBLISH_ONE` by default, and what it said.

    *calls* are those between opening and the end, as ``fsync(NAME)`` or ``linkat(NAME)``, paths cut to the last part.
    """

    def __init__(self, data: Path, folder: Path, *inject: str, script: str = PUBLISH_ONE) -> None:
        log = folder / "strace.log"
        faults = [f"--inject={fault}" for fault in inject]
        command = ["strace", "-y", "-qq", "-o", str(log), f"--trace={_CALLS}", *faults]
        child = subprocess.run(
            [*command, sys.executable, "-c", script, str(data)], capture_output=True, text=True, check=False
        )
        self.said = child.stdout.split("\n")[1:-1]
        self.was_killed = child.returncode < 0
        self.raw = log.read_text()
        assert bool(inject) == ("(INJECTED)" in self.raw or self.was_killed), child.stderr
        lines = self.raw.split('"opened\\n"', 1)[1].splitlines()[1:]
        self.calls = [call for call in map(self._short, lines) if call]

    @staticmethod
    def _short(line: str) -> str:
        if match := re.match(r'write\(1<.*?"(\w+)', line):
            return f"said {match[1]}"
        if match := re.match(r"(f(?:data)?sync)\(\d+<([^>]*)>", line):
            return f"{match[1]}({Trace._name(match[2])})"
        if match := re.match(r'(mkdirat)\(.*?"([^"]*)"', line):
            return f"{match[1]}({Trace._name(match[2])})"
        if match := re.match(r'(linkat)\(.*, "([^"]*)", 0\)', line):
            return f"{match[1]}({Trace._name(match[2])})"
        return ""

    @staticmethod
    def _name(path: str) -> str:
        name = path.rsplit("/", 1)[-1]
        return re.sub(r"^[0-9a-f-]{36}", "staged", name)


@pytest.fixture
def strace() -> None:
    works = shutil.which("strace") is not None and (
        subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0
    )
    require("strace", works, "install strace and run where ptrace is allowed")


ORDER = [
    "fsync(staged.part)",
    "fsync(staged.json)",
    "mkdirat(document)",
    "mkdirat(FULL)",
    "fsync(document)",
    "fsync(archives)",
    f"linkat({ID.name}.json)",
    f"linkat({ID.name})",
    "fsync(FULL)",
    "said published",
]


@pytest.mark.usefixtures("strace")
def test_everything_is_durable_before_publish_returns(tmp_path: Path) -> None:
    """Bytes and side-car before they get names, side-car named before bytes, every directory before the answer."""
    trace = Trace(tmp_path / "data", tmp_path)

    assert trace.calls == ORDER
    assert trace.said == ["published"]


@pytest.mark.usefixtures("strace")
def test_sealing_again_makes_durable_what_is_new_and_nothing_else(tmp_path: Path) -> None:
    """Another side-car does not cost another fsync of the bytes; bytes written after a seal do."""
    trace = Trace(tmp_path / "data", tmp_path, script=SEAL_AGAIN)
    bytes_durable, sidecar_durable = "fsync(staged.part)", "fsync(staged.json)"

    assert trace.calls == [bytes_durable, sidecar_durable, sidecar_durable, bytes_durable, sidecar_durable]


@pytest.mark.usefixtures("strace")
def test_directories_that_were_there_are_made_durable_once_too(tmp_path: Path) -> None:
    """The process that made them may have died before the fsync, so the first publish of a process repeats it."""
    (tmp_path / "data").mkdir()
    FilesystemArchiveStore.open(tmp_path / "data", ids=SequenceIds()).close()
    (tmp_path / "data" / "archives" / "document" / "FULL").mkdir(parents=True)
    trace = Trace(tmp_path / "data", tmp_path)

    assert trace.calls == ORDER


@pytest.mark.usefixtures("strace")
def test_opening_makes_durable_what_a_killed_process_linked(tmp_path: Path) -> None:
    """Recovery takes what it sees for stored, so every directory is fsynced before it looks."""
    with closing(FilesystemDoor(tmp_path / "data")) as door:
        put(door.store, OTHER, b"bytes")
    trace = Trace(tmp_path / "data", tmp_path)
    opening = [Trace._short(line) for line in trace.raw.split('"opened\\n"')[0].splitlines()]

    assert {"fsync(archives)", "fsync(document)", "fsync(INC)"} <= set(opening)


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("call", [call for call in ORDER if call.startswith(("fsync", "linkat"))])
@pytest.mark.parametrize(("fault", "told"), [("EIO", "BackendUnavailable"), ("ENOSPC", "InsufficientStorage")])
def test_a_call_that_fails_leaves_nothing(tmp_path: Path, call: str, fault: str, told: str) -> None:
    """Whichever fsync or link fails: the error is raised, nothing is visible or staged, and no fsync is retried."""
    data = tmp_path / "data"
    FilesystemArchiveStore.open(data, ids=SequenceIds()).close()
    trace = Trace(data, tmp_path, f"{_nth(call, opening_fsyncs=3)}:error={fault}")

    assert [line.split()[0] for line in trace.said] == [told]
    assert str(tmp_path) not in trace.said[0]
    assert trace.calls[:-1] == ORDER[: ORDER.index(call) + 1]
    with closing(FilesystemDoor(data)) as door:
        assert list(door.store.scan()) == []
        assert not door.sidecar(ID).exists()
        assert door.staging_is_empty()


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("call", [call for call in ORDER if call.startswith(("fsync", "linkat"))])
def test_killed_at_any_call_the_archive_is_whole_or_not_there(tmp_path: Path, call: str) -> None:
    """SIGKILL at each step: the next process finds all or nothing, sweeps the rest, and can store the archive."""
    data = tmp_path / "data"
    FilesystemArchiveStore.open(data, ids=SequenceIds()).close()
    trace = Trace(data, tmp_path, f"{_nth(call, opening_fsyncs=3)}:signal=SIGKILL")

    assert trace.was_killed
    assert trace.said == []
    with closing(FilesystemDoor(data)) as door:
        found = list(door.store.scan())
        assert found in ([], [StoredArchive(ID, 5, b"about")])
        assert door.store.sweep(SOON) == 1
        assert door.staging_is_empty()
        assert list(door.store.scan()) == found
        if not found:
            put(door.store, ID, b"bytes", b"about")
        assert list(door.store.scan()) == [StoredArchive(ID, 5, b"about")]


def _nth(call: str, opening_fsyncs: int) -> str:
    """*call* of `ORDER` as strace counts it: its kind, and its number within that kind in the child's whole life."""
    kind = call.split("(")[0]
    which = [other for other in ORDER if other.startswith(kind)].index(call) + 1
    return f"{kind}:when={which + (opening_fsyncs if kind == 'fsync' else 0)}"


@pytest.mark.parametrize("profiles", [2, 120])
def test_whatever_is_seen_at_a_start_is_durable_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profiles: int
) -> None:
    """A process that was killed may have linked an archive without reaching the fsync; also where folders are many."""
    FilesystemArchiveStore.open(tmp_path / "data", ids=SequenceIds()).close()
    folders = [tmp_path / "data" / "archives" / f"p{number}" / "INC" for number in range(profiles)]
    for folder in folders:
        folder.mkdir(parents=True)
    synced: set[int] = set()
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", noted)
    FilesystemArchiveStore.open(tmp_path / "data", ids=SequenceIds()).close()

    assert {
        place.stat().st_ino for folder in folders for place in (folder, folder.parent, folder.parent.parent)
    } <= synced
