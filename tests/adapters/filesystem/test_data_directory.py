"""The data directory: its layout, its owner, and what it refuses to touch."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tarkeep.adapters.filesystem.data_directory import DataDirectory
from tarkeep.adapters.process.os_errors import translated
from tarkeep.domain.errors.archives import ArchiveNotFound
from tarkeep.domain.errors.capacity import BackendUnavailable, InsufficientStorage, ReadOnly
from tarkeep.domain.errors.settings import DataDirectoryInUse, DataDirectoryUnsafe, FormatUnknown
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tests.support.clocks import SequenceIds
from tests.support.require import require

OWN_IT = """
import sys
from pathlib import Path
from tarkeep.adapters.filesystem.data_directory import DataDirectory
from tarkeep.adapters.process.clock_and_ids import RandomIds
owned = DataDirectory.open(Path(sys.argv[1]), ids=RandomIds())
print("owned", flush=True)
sys.stdin.read()
"""


def open_directory(path: Path) -> DataDirectory:
    return DataDirectory.open(path, ids=SequenceIds())


@contextmanager
def another_owner(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that owns *path* until the context ends, unless it dies before."""
    command = [sys.executable, "-c", OWN_IT, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"owned\n"
        yield process


def names_in(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_a_missing_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    """The first start makes layout, marker and lock, closed to other users."""
    path = tmp_path / "srv" / "backups"
    with closing(open_directory(path)) as data:
        marker = json.loads((path / "tarkeep.json").read_text())

        assert names_in(path) == ["archives", "lock", "members", "staging", "tarkeep.json", "trash"]
        assert marker == {"format": 1, "id": "id-1"}
        assert (data.path, data.id) == (path, "id-1")
        assert (path / "lock").read_text().strip() == str(os.getpid())
        for made in (path.parent, path, data.archives, data.staging, data.trash):
            assert stat.S_IMODE(made.stat().st_mode) == 0o700


@pytest.mark.parametrize("left", [[], ["lock"], ["lock", "tarkeep.json.part"], ["lost+found"], ["profiles.toml"]])
def test_a_directory_that_is_as_good_as_empty_is_taken(tmp_path: Path, left: list[str]) -> None:
    """Empty, fresh from mkfs, left by a first start that was killed, or with rules that an operator put there."""
    for name in left:
        (tmp_path / name).touch()
    with closing(open_directory(tmp_path)) as data:
        assert json.loads((tmp_path / "tarkeep.json").read_text())["id"] == data.id


def test_a_directory_of_other_things_is_refused_untouched(tmp_path: Path) -> None:
    """A mistyped path does not turn a folder of other things into a store, and nothing is put into it."""
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(FormatUnknown, match="not empty") as caught:
        open_directory(tmp_path)

    assert "a new or an empty directory" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert names_in(tmp_path) == ["holiday.jpg"]


def test_opened_again_it_is_the_same(tmp_path: Path) -> None:
    """The id in the marker stays, and missing parts of the layout are made again."""
    ids = SequenceIds()
    DataDirectory.open(tmp_path, ids=ids).close()
    (tmp_path / "trash").rmdir()
    (tmp_path / "archives" / "document").mkdir()
    with closing(DataDirectory.open(tmp_path, ids=ids)) as data:
        assert data.id == "id-1"
        assert data.trash.is_dir()
        assert names_in(data.archives) == ["document"]


@pytest.mark.parametrize(
    "marker",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"format": 2, "id": "x"}',
        b'{"format": "1", "id": "x"}',
        b'{"format": 1}',
        b"\xff",
    ],
)
def test_a_marker_of_another_version_is_refused(tmp_path: Path, marker: bytes) -> None:
    """A marker that cannot be understood stays as it is, and the directory is not kept locked."""
    (tmp_path / "tarkeep.json").write_bytes(marker)
    with pytest.raises(FormatUnknown):
        open_directory(tmp_path)

    assert (tmp_path / "tarkeep.json").read_bytes() == marker
    (tmp_path / "tarkeep.json").write_bytes(b'{"format": 1, "id": "mended"}')
    with closing(open_directory(tmp_path)) as data:
        assert data.id == "mended"


def test_a_second_owner_in_the_same_process_is_refused(tmp_path: Path) -> None:
    """The lock is between owners, not only between processes; releasing it lets the next one in."""
    with closing(open_directory(tmp_path)):
        with pytest.raises(DataDirectoryInUse) as caught:
            open_directory(tmp_path)
        assert caught.value.owner == str(os.getpid())

    open_directory(tmp_path).close()


def test_another_process_keeps_this_one_out_until_it_dies(tmp_path: Path) -> None:
    """The refusal names the process that owns the directory; SIGKILL frees the directory at once."""
    with another_owner(tmp_path) as process:
        with pytest.raises(DataDirectoryInUse) as caught:
            open_directory(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()

        assert caught.value.owner == str(process.pid)
        open_directory(tmp_path).close()


@pytest.mark.parametrize("replaced", [False, True])
def test_without_its_lock_file_a_directory_is_still_held(tmp_path: Path, replaced: bool) -> None:
    """An operator who tidies up, or a copy that is put over it, does not let a second owner in."""
    with another_owner(tmp_path) as process:
        (tmp_path / "lock").unlink()
        if replaced:
            (tmp_path / "lock").write_text("12345\n")

        with pytest.raises(DataDirectoryInUse):
            open_directory(tmp_path)

        process.send_signal(signal.SIGKILL)
        process.wait()
        open_directory(tmp_path).close()


def test_a_child_process_does_not_inherit_the_lock(tmp_path: Path) -> None:
    """A child that outlives the server does not keep the directory."""
    data = open_directory(tmp_path)
    command = [sys.executable, "-c", "print('up', flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        data.close()
        open_directory(tmp_path).close()

        assert child.poll() is None
        child.communicate(b"\n")


def test_closing_twice_is_no_error(tmp_path: Path) -> None:
    """Close is idempotent, and the second one does not take the lock from the next owner."""
    first = open_directory(tmp_path)
    first.close()
    with closing(open_directory(tmp_path)):
        first.close()
        with pytest.raises(DataDirectoryInUse):
            open_directory(tmp_path)


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory stays the same one when the process goes elsewhere."""
    monkeypatch.chdir(tmp_path)
    with closing(open_directory(Path("data"))) as data:
        assert data.path == tmp_path / "data"


def test_a_file_in_its_place_is_told_without_its_path(tmp_path: Path) -> None:
    """The operator sees the system's message about a path that is not a directory; the path stays on the server."""
    (tmp_path / "file").touch()
    with pytest.raises(BackendUnavailable) as caught:
        open_directory(tmp_path / "file")

    assert str(tmp_path) not in str(caught.value)
    assert caught.value.reason


@pytest.mark.parametrize(
    ("code", "writing", "looking", "expected"),
    [
        ("ENOSPC", True, False, InsufficientStorage()),
        ("EDQUOT", True, False, InsufficientStorage()),
        ("EROFS", True, False, ReadOnly()),
        ("EACCES", True, False, ReadOnly()),
        ("EPERM", True, False, ReadOnly()),
        ("EACCES", False, True, BackendUnavailable("store", "Permission denied")),
        ("ENOENT", False, True, ArchiveNotFound("document/FULL/a.tar.gz")),
        ("ENOTDIR", False, True, ArchiveNotFound("document/FULL/a.tar.gz")),
        ("ELOOP", False, True, ArchiveNotFound("document/FULL/a.tar.gz")),
        ("ENOENT", True, False, BackendUnavailable("store", "No such file or directory")),
        ("EIO", True, False, BackendUnavailable("store", "Input/output error")),
        ("EIO", False, True, BackendUnavailable("store", "Input/output error")),
        ("EMFILE", False, True, BackendUnavailable("store", "Too many open files")),
    ],
)
def test_errors_of_the_system_become_errors_of_the_domain(
    code: str, writing: bool, looking: bool, expected: Exception
) -> None:
    """Each by its number, with the original as the cause and no path in the sentence."""
    id = ArchiveId("document", BackupType.FULL, "a.tar.gz")
    number = getattr(errno, code)
    with (
        pytest.raises(type(expected)) as caught,
        translated(writing=writing, looking_for=id if looking else None),
    ):
        raise OSError(number, os.strerror(number), "/srv/secret/path")

    assert str(caught.value) == str(expected)
    assert isinstance(caught.value.__cause__, OSError)


def test_a_file_system_without_hard_links_is_told_at_the_start(tmp_path: Path) -> None:
    """FAT and some network mounts: reported before the first archive arrives, with what to do."""
    strace = shutil.which("strace")
    require("strace", strace is not None, "apt install strace")
    command = [strace or "", "-f", "-qq", "-o", str(tmp_path / "trace"), "--trace=link,linkat"]
    command += ["--inject=link,linkat:error=EPERM", sys.executable, "-m", "tarkeep", "serve"]

    run = subprocess.run(
        [*command, "--port", "0", "--data", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "(INJECTED)" in (tmp_path / "trace").read_text()
    assert run.returncode == 1
    assert "has no hard links" in run.stderr
    assert "Traceback" not in run.stderr
    assert list((tmp_path / "data" / "staging").iterdir()) == []


def test_a_directory_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    """Nothing is put into it."""
    tmp_path.chmod(0o777)

    with pytest.raises(DataDirectoryUnsafe, match="mode 0777") as refused:
        open_directory(tmp_path)

    assert refused.value.owner is None
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_a_directory_that_is_open_to_others_is_told(
    tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be meant, so it is a warning; a closed one is none."""
    tmp_path.chmod(mode)
    with closing(open_directory(tmp_path)):
        assert f"mode {mode:04o}" in caplog.text
        assert "chmod 0700" in caplog.text
    caplog.clear()
    tmp_path.chmod(0o700)
    with closing(open_directory(tmp_path)):
        assert caplog.text == ""


def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    """Otherwise an operator's command would put files there that the server cannot read."""
    require("root", os.geteuid() == 0, "run the tests as root, to give a directory away")
    os.chown(tmp_path, 12345, -1)

    with pytest.raises(DataDirectoryUnsafe, match="belongs to user 12345") as refused:
        open_directory(tmp_path)

    assert refused.value.owner == 12345
    assert names_in(tmp_path) == []
