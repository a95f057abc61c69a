"""A spool folder keeps the contract of `Spool`, and is private to its user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from attrs import frozen

from tarkeep.adapters.local.spool_folder import SpoolFolder
from tarkeep.domain.client.ports.spool import Spooled
from tarkeep.domain.errors.client import FolderUnusable
from tests.contracts.client.spool import PROFILE, SpoolContract, SpoolDoor


@frozen
class _Door:
    _path: Path

    def open(self) -> SpoolFolder:
        return SpoolFolder(self._path, PROFILE)

    def lie(self) -> list[str]:
        return [path.name for path in self._path.glob("*/*/*")]

    def date(self, dump: Spooled, seconds: int) -> None:
        os.utime(dump.archive.path, (seconds, seconds))


class TestSpoolFolder(SpoolContract):
    @pytest.fixture
    def door(self, tmp_path: Path) -> SpoolDoor:
        return _Door(tmp_path / "spool")


@pytest.mark.parametrize("where", ["spool/laptop", "spool"])
def test_it_is_nobody_elses(tmp_path: Path, where: str) -> None:
    """The dumps in it will be restored one day; nor may other users replace the folder as a whole."""
    (tmp_path / "spool" / "laptop").mkdir(parents=True, mode=0o700)
    (tmp_path / where).chmod(0o777)

    with pytest.raises(FolderUnusable, match="others may"):
        SpoolFolder(tmp_path / "spool", "laptop")


def test_it_may_lie_where_everybody_has_one(tmp_path: Path) -> None:
    """With the sticky bit, users cannot move files of others."""
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool").chmod(0o1777)

    with SpoolFolder(tmp_path / "spool", "laptop") as spool:
        assert spool.waiting() == []


@pytest.mark.parametrize("name", ["lock", "FULL/full_1.tar.gz.snapshot", "FULL/full_1.tar.gz.json"])
def test_what_is_planted_is_not_waited_for(tmp_path: Path, name: str) -> None:
    """A pipe under a name that is read or written there."""
    place = tmp_path / "spool" / "laptop" / name
    place.parent.mkdir(parents=True, mode=0o700)
    (tmp_path / "spool" / "laptop").chmod(0o700)
    for file in ("", ".snapshot", ".json"):
        whole = tmp_path / "spool" / "laptop" / "FULL" / f"full_1.tar.gz{file}"
        whole.parent.mkdir(exist_ok=True)
        whole.write_bytes(b'{"parent": null, "snapshot_before": null, "snapshot_after": null}')
    place.unlink(missing_ok=True)
    os.mkfifo(place)

    with pytest.raises(FolderUnusable, match="not a regular file"), SpoolFolder(tmp_path / "spool", "laptop") as spool:
        spool.waiting()
