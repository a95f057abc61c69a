"""The contract of `MemberRecords`, run for every adapter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tarkeep.adapters.memory.member_records import MemoryMemberRecords
from tarkeep.adapters.records.record_files import FilesystemMemberRecords
from tests.contracts.member_records import MemberRecordsContract
from tests.support.clocks import SequenceIds


class MemoryDoor:
    def __init__(self) -> None:
        self.records = MemoryMemberRecords()

    def is_empty(self) -> bool:
        return not self.records.published

    def open_files(self) -> int:
        return 0

    def crash(self) -> None:
        self.records = MemoryMemberRecords()


class FilesystemDoor:
    def __init__(self, path: Path) -> None:
        self.records = FilesystemMemberRecords(path, SequenceIds())

    def is_empty(self) -> bool:
        return not [path for path in self.records.path.rglob("*") if path.is_file()]

    def open_files(self) -> int:
        links = [Path(f"/proc/self/fd/{number}").readlink() for number in range(1_000) if _is_open(number)]
        return sum(link.is_relative_to(self.records.path) for link in links)

    def crash(self) -> None:
        self.records = FilesystemMemberRecords(self.records.path, SequenceIds())


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


class TestMemoryMemberRecords(MemberRecordsContract):
    @pytest.fixture
    def door(self) -> MemoryDoor:
        return MemoryDoor()


class TestFilesystemMemberRecords(MemberRecordsContract):
    @pytest.fixture
    def door(self, tmp_path: Path) -> FilesystemDoor:
        return FilesystemDoor(tmp_path / "members")
