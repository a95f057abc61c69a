"""Importing the original server's folder: everything whole is imported, with its times; the rest is reported."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from attrs import frozen

from tarkeep.adapters.local.legacy_folder import LegacyFolder
from tarkeep.domain.access.tokens import ANONYMOUS
from tarkeep.domain.errors.settings import InvalidSetting
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tests.contracts.foreign_store import ForeignDoor, ForeignStoreContract, Laid
from tests.support.archives import digests_of, make_targz
from tests.support.assembled import InMemory
from tests.support.require import require

PARIS = ZoneInfo("Europe/Paris")


def put(folder: Path, type: str, name: str, content: bytes, **sidecar: object) -> None:
    """An archive as the original server kept it; without keyword arguments, one without a side-car."""
    (folder / type).mkdir(parents=True, exist_ok=True)
    (folder / type / name).write_bytes(content)
    if sidecar:
        members = {
            "filename": name,
            "type": type,
            "profile": "document",
            "uploaded_at": "2025-11-28T19:30:33.729720",
            "name": name,
            "size": len(content),
            "size_human": f"{len(content)}.0 B",
            "modified": "2025-11-28T19:30:33.728939",
            "md5": hashlib.md5(content).hexdigest(),
            **sidecar,
        }
        (folder / type / f"{name.removesuffix('.gz')}.json").write_text(json.dumps(members, indent=2))


@frozen
class _Door:
    store: LegacyFolder

    def clear(self) -> None:
        shutil.rmtree(self.store.path, ignore_errors=True)
        (self.store.path / "FULL").mkdir(parents=True)

    def lay(self, archive: Laid) -> None:
        local = archive.received_at.astimezone(PARIS).replace(tzinfo=None).isoformat()
        put(
            self.store.path,
            archive.type.value,
            archive.name,
            archive.content,
            profile=archive.profile,
            uploaded_at=local,
        )

    def spoil(self, archive: Laid) -> None:
        (self.store.path / archive.type.value / f"{archive.name.removesuffix('.gz')}.json").write_text("{")


class TestLegacyFolder(ForeignStoreContract):
    @pytest.fixture
    def door(self, tmp_path: Path) -> ForeignDoor:
        door = _Door(LegacyFolder(tmp_path / "remote_backups", PARIS))
        door.clear()
        return door


@pytest.fixture
def memory() -> InMemory:
    return InMemory()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A look-alike of a real store: plain archives, side-cars with local times."""
    folder = tmp_path / "remote_backups"
    put(
        folder, "FULL", "full_2025-11-28_19-29-39.tar.gz", make_targz({"document/readme.txt": b"1"}), profile="document"
    )
    put(folder, "INC", "inc_2025-11-28_19-29-57.tar.gz", make_targz({"document/readme.txt": b"2"}), profile="document")
    put(folder, "DIFF", "diff_2025-11-28_19-30-05.tar.gz", make_targz({"readme.txt": b"3"}), profile="laptop")
    return folder


def test_everything_comes_over_with_profile_and_time(memory: InMemory, folder: Path) -> None:
    """The time of the upload then is the receive time now, read in the zone the server ran in."""
    report = memory.tarkeep.import_folder(LegacyFolder(folder, PARIS))

    assert report.imported == [
        "FULL/full_2025-11-28_19-29-39.tar.gz",
        "INC/inc_2025-11-28_19-29-57.tar.gz",
        "DIFF/diff_2025-11-28_19-30-05.tar.gz",
    ]
    assert report.refused == []
    diff = memory.catalog.find(ArchiveId("laptop", BackupType.DIFF, "diff_2025-11-28_19-30-05.tar.gz"))
    assert diff.received_at == datetime(2025, 11, 28, 18, 30, 33, 729720, tzinfo=UTC)


def test_importing_again_changes_nothing(memory: InMemory, folder: Path) -> None:
    """It is repeatable, so that it can be run again after the last upload to the old server."""
    memory.tarkeep.import_folder(LegacyFolder(folder))
    before = memory.catalog.page().archives

    report = memory.tarkeep.import_folder(LegacyFolder(folder))

    assert (len(report.already_there), report.imported, report.refused) == (3, [], [])
    assert memory.catalog.page().archives == before


def test_without_a_side_car_the_file_tells_what_it_can(memory: InMemory, folder: Path) -> None:
    """Profile as the operator says, time of the file."""
    put(folder, "FULL", "bare.tar.gz", make_targz({"bare": b"x"}))
    os.utime(folder / "FULL" / "bare.tar.gz", (1_700_000_000, 1_700_000_000))

    memory.tarkeep.import_folder(LegacyFolder(folder, profile="old"))

    bare = memory.catalog.find(ArchiveId("old", BackupType.FULL, "bare.tar.gz"))
    assert bare.received_at == datetime.fromtimestamp(1_700_000_000, UTC)


def test_what_cannot_be_taken_is_refused_with_the_reason_and_the_rest_goes_on(memory: InMemory, folder: Path) -> None:
    """A wrong MD5, a damaged archive, a name against the rules, a side-car that is not JSON."""
    put(folder, "FULL", "a-wrong-md5.tar.gz", make_targz({"a": b"x"}), md5="0" * 32)
    put(folder, "FULL", "b-cut.tar.gz", make_targz({"b": b"x"})[:-4], profile="document")
    put(folder, "FULL", "c$name.tar.gz", make_targz({"c": b"x"}), profile="document")
    put(folder, "FULL", "d-sidecar.tar.gz", make_targz({"d": b"x"}), profile="document")
    (folder / "FULL" / "d-sidecar.tar.json").write_text("{")
    put(folder, "FULL", "e-time.tar.gz", make_targz({"e": b"x"}), uploaded_at="yesterday")

    report = memory.tarkeep.import_folder(LegacyFolder(folder))

    refused = {label: str(reason) for label, reason in report.refused}
    assert set(refused) == {f"FULL/{name}.tar.gz" for name in ("a-wrong-md5", "b-cut", "c$name", "d-sidecar", "e-time")}
    assert "md5" in refused["FULL/a-wrong-md5.tar.gz"]
    assert "gzip data damaged" in refused["FULL/b-cut.tar.gz"]
    assert "may hold only" in refused["FULL/c$name.tar.gz"]
    assert "side-car" in refused["FULL/d-sidecar.tar.gz"]
    assert len(report.imported) == 3


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    """A typing mistake is reported, not answered with "0 imported"."""
    with pytest.raises(InvalidSetting, match="FULL, INC and DIFF"):
        list(LegacyFolder(tmp_path).archives())


def test_the_command_imports_and_tells(folder: Path, tmp_path: Path) -> None:
    """``tarkeep import DIR`` prints a line per archive and a summary, and exits 3 when something was refused."""
    put(folder, "FULL", "cut.tar.gz", make_targz({"b": b"x"})[:-4], profile="document")
    command = [sys.executable, "-m", "tarkeep", "import", str(folder), "--data", str(tmp_path / "data")]

    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    assert done.returncode == 3
    assert "imported: INC/inc_2025-11-28_19-29-57.tar.gz" in done.stdout
    assert "refused: FULL/cut.tar.gz: gzip data damaged" in done.stdout
    assert done.stdout.endswith("3 imported, 0 already there, 1 refused\n")


def test_a_real_store_of_the_original_imports_whole(memory: InMemory, tmp_path: Path) -> None:
    """A store that the original server itself wrote, every archive of it."""
    real = Path(__file__).parents[4] / "shared" / "legacy-store"
    require("legacy-store", real.is_dir(), "put a store of the original server at ../shared/legacy-store")
    copy = shutil.copytree(real, tmp_path / "copy")

    report = memory.tarkeep.import_folder(LegacyFolder(copy))

    files = sorted(copy.glob("*/*.tar.gz"))
    assert (len(report.imported), report.refused) == (len(files), [])
    for file in files:
        archive = memory.tarkeep.find_archive(BackupType(file.parent.name), file.name, principal=ANONYMOUS)
        sidecar = json.loads(file.with_name(file.name.removesuffix(".gz") + ".json").read_bytes())
        assert archive.digests == digests_of(file.read_bytes())
        assert archive.digests.md5 == sidecar["md5"]
        assert archive.received_at == datetime.fromisoformat(sidecar["uploaded_at"]).astimezone(UTC)


def test_what_the_disk_does_not_give_is_refused_and_the_rest_is_imported(tmp_path: Path) -> None:
    """An archive whose bytes cannot be read, one whose side-car cannot, and a good one."""
    folder = tmp_path / "FULL"
    folder.mkdir()
    for name in ("a.tar.gz", "c.tar.gz"):
        (folder / name).write_bytes(make_targz({name: b"content"}))
    (folder / "b.tar.gz").symlink_to("/proc/self/mem")  # a regular file whose first byte is an I/O error
    (folder / "c.tar.json").symlink_to("/proc/self/mem")

    report = InMemory().tarkeep.import_folder(LegacyFolder(tmp_path))

    assert report.imported == ["FULL/a.tar.gz"]
    refused = {label: str(reason) for label, reason in report.refused}
    assert refused["FULL/b.tar.gz"] == f"{folder}/b.tar.gz cannot be used: Input/output error"
    assert refused["FULL/c.tar.gz"] == f"its side-car {folder}/c.tar.json cannot be read: Input/output error"
