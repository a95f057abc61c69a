"""The contract of `ArchiveStore`, run for every adapter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.contracts.archive_store import ArchiveStoreContract
from tests.contracts.archive_trash import ArchiveMarksContract, ArchiveTrashContract
from tests.support.bucket_door import BucketDoor
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


class TestS3ArchiveStore(ArchiveStoreContract, ArchiveMarksContract, ArchiveTrashContract):
    """On two object stores, each of which ignores what the other obeys."""

    @pytest.fixture(params=["seaweedfs", "radosgw"])
    def door(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BucketDoor]:
        with closing(BucketDoor(request.getfixturevalue(request.param).address(), tmp_path / "data")) as door:
            yield door
