"""The sorter that lays runs into scratch files keeps the contract, however short its runs are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.adapters.filesystem.scratch import ScratchFiles
from tarkeep.adapters.process.inventory_sorter import SpillingSorter
from tarkeep.domain.archives.inventory import InventoryEntry
from tarkeep.domain.ports.scratch import InventorySorter
from tests.contracts.inventory_sorter import InventorySorterContract, comes_back_in_order, entries


class TestSpillingSorter(InventorySorterContract):
    @pytest.fixture
    def sorter(self, tmp_path: Path) -> InventorySorter:
        return SpillingSorter(ScratchFiles(tmp_path), 1 << 20)


@given(st.lists(entries, max_size=60), st.sampled_from([1, 1500, 3000]))
def test_runs_are_merged_in_order(side: list[InventoryEntry], run_bytes: int) -> None:
    """With a run for each entry, and for a few."""
    assert comes_back_in_order(SpillingSorter(ScratchFiles(None), run_bytes), side)
