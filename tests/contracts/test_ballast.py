"""Every adapter of the port `Ballast` against its contract."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from attrs import define

from tarkeep.adapters.filesystem.data_directory import BALLAST, FileBallast
from tarkeep.adapters.memory.upkeep.ballast import MemoryBallast
from tests.contracts.ballast import BallastContract, BallastDoor


@define
class _MemoryDoor:
    ballast: MemoryBallast

    def is_set_aside(self) -> bool:
        return self.ballast.is_set_aside

    def fill_up(self) -> None:
        self.ballast.has_room = False


@define
class _FileDoor:
    ballast: FileBallast

    def is_set_aside(self) -> bool:
        file = self.ballast.data / BALLAST
        return file.exists() and file.stat().st_blocks * 512 >= self.ballast.most_bytes

    def fill_up(self) -> None:
        """So much has to be free that no disk has it."""
        self.ballast.times = 1 << 40


class TestMemoryBallast(BallastContract):
    @pytest.fixture
    def door(self) -> BallastDoor:
        return _MemoryDoor(MemoryBallast())


class TestFileBallast(BallastContract):
    @pytest.fixture
    def door(self, tmp_path: Path) -> BallastDoor:
        return _FileDoor(FileBallast(tmp_path, most_bytes=1 << 16))

    def test_it_is_small_beside_the_disk(self, tmp_path: Path) -> None:
        ballast = FileBallast(tmp_path, most_bytes=1 << 60, times=0)
        medium = os.statvfs(tmp_path)
        allocated: list[int] = []
        ballast.allocate = lambda _descriptor, size: allocated.append(size)

        ballast.keep()

        (size,) = allocated
        assert 0 < size <= medium.f_blocks * medium.f_frsize // 100

    def test_a_folder_that_is_gone_is_no_error(self, tmp_path: Path) -> None:
        ballast = FileBallast(tmp_path / "nowhere")
        assert not ballast.keep()
        assert not ballast.give_up()
