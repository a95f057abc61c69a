"""Both stores of sums keep the contract; and tests of the file store alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from attrs import define

from tarkeep.adapters.filesystem.archive_sums import MemorySums, SumsFolder
from tests.contracts.archive_sums import ONE, OTHER, ArchiveSumsContract, SumsDoor, some
from tests.support.clocks import SequenceIds


@define
class _MemoryDoor:
    sums: MemorySums

    def reopen(self) -> None:
        """Sums in memory end with the process; there is no next one."""

    def fill_up(self) -> None:
        """Memory never refuses a write."""

    def is_clean(self) -> bool:
        return True


@define
class _FolderDoor:
    sums: SumsFolder

    def reopen(self) -> None:
        self.sums = SumsFolder(self.sums.folder, SequenceIds())

    def fill_up(self) -> None:
        self.sums.folder.rmdir()
        self.sums.folder.touch()

    def is_clean(self) -> bool:
        return not list(self.sums.folder.glob("*.part"))


class TestMemorySums(ArchiveSumsContract):
    @pytest.fixture
    def door(self) -> SumsDoor:
        return _MemoryDoor(MemorySums())


class TestSumsFolder(ArchiveSumsContract):
    @pytest.fixture
    def door(self, tmp_path: Path) -> SumsDoor:
        folder = tmp_path / "sums"
        folder.mkdir()
        return _FolderDoor(SumsFolder(folder, SequenceIds()))


@pytest.fixture
def folder(tmp_path: Path) -> SumsFolder:
    return SumsFolder(tmp_path / "data" / "sums", SequenceIds())


def test_a_damaged_file_is_not_used(folder: SumsFolder) -> None:
    """For any flipped bit, cut or addition; it is never taken for other sums."""
    folder.put(ONE, some(3))
    (file,) = (folder.folder / ONE[:2]).iterdir()
    whole = file.read_bytes()
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 1 << position % 8
        for content in (bytes(changed), whole[:position], whole + whole[: position + 1]):
            file.write_bytes(content)
            assert folder.get(ONE) is None
    for content in (random.Random(1).randbytes(60), bytes(100)):
        file.write_bytes(content)
        assert folder.get(ONE) is None


def test_the_file_of_another_archive_is_not_used(folder: SumsFolder) -> None:
    """A file names its archive, so a copy is ignored. So is a pipe, a folder or a link, and no reader waits for one."""
    folder.put(ONE, some(3))
    (file,) = (folder.folder / ONE[:2]).iterdir()
    (folder.folder / OTHER[:2]).mkdir()
    other = folder.folder / OTHER[:2] / OTHER
    file.rename(other)
    assert folder.get(OTHER) is None
    other.rename(file)
    other.symlink_to(file)
    assert folder.get(OTHER) is None
    other.unlink()
    other.mkdir()
    assert folder.get(OTHER) is None


def test_what_a_crash_left_is_swept(folder: SumsFolder) -> None:
    """And whole files stay."""
    folder.put(ONE, some(3))
    (folder.folder / "id.part").write_bytes(b"half")

    folder.sweep()

    assert [path.name for path in folder.folder.iterdir()] == [ONE[:2]]
    assert folder.get(ONE) == some(3)
