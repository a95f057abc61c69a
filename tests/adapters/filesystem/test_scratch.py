"""Scratch files keep the contract, in memory and on the disk, and use a file of the system only for long content."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import frozen

from tarkeep.adapters.filesystem.scratch import HELD_BYTES, ScratchFiles
from tests.contracts.scratch import ScratchContract, ScratchDoor
from tests.support.processes import open_files


@frozen
class _Door:
    scratch: ScratchFiles

    def names(self) -> list[str]:
        return [] if self.scratch.folder is None else [path.name for path in self.scratch.folder.iterdir()]


class TestScratchFilesOnTheDisk(ScratchContract):
    @pytest.fixture
    def door(self, tmp_path: Path) -> ScratchDoor:
        return _Door(ScratchFiles(tmp_path))


class TestScratchFilesInMemory(ScratchContract):
    @pytest.fixture
    def door(self) -> ScratchDoor:
        return _Door(ScratchFiles(None))


@pytest.mark.parametrize(("size", "files"), [(HELD_BYTES - 1, 0), (HELD_BYTES, 1)])
def test_only_what_is_long_goes_to_the_disk(tmp_path: Path, size: int, files: int) -> None:
    """Most lists are short, and making a file takes longer than holding them."""
    before = open_files()
    with ScratchFiles(tmp_path).file() as file:
        file.append(bytes(size))
        assert open_files() == before + files


def test_in_memory_there_is_no_file() -> None:
    """However long the content is."""
    before = open_files()
    with ScratchFiles(None).file() as file:
        file.append(bytes(10 * HELD_BYTES))
        assert open_files() == before
