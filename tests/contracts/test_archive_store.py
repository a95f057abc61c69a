"""The contract of `ArchiveStore`, run for every adapter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.contracts.archive_store import ArchiveStoreContract
from tests.contracts.archive_trash import ArchiveMarksContract, ArchiveTrashContract
from tests.support.store_doors import FilesystemDoor, MemoryDoor


class TestMemoryArchiveStore(ArchiveStoreContract, ArchiveMarksContract, ArchiveTrashContract):
    @pytest.fixture
    def door(self) -> MemoryDoor:
        return MemoryDoor()


class TestFilesystemArchiveStore(ArchiveStoreContract, ArchiveMarksContract, ArchiveTrashContract):
    @pytest.fixture
    def door(self, tmp_path: Path) -> Iterator[FilesystemDoor]:
        with closing(FilesystemDoor(tmp_path / "data")) as door:
            yield door
