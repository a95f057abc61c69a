"""A directory of this machine keeps the contract of `LocalTree`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tarkeep.adapters.local.local_tree import LocalFolderTree
from tarkeep.domain.client.ports.local_tree import LocalTree
from tests.contracts.client.local_tree import LocalTreeContract


class TestLocalFolderTree(LocalTreeContract):
    @pytest.fixture
    def tree_at(self) -> Callable[[Path], LocalTree]:
        return LocalFolderTree
