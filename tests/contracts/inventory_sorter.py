"""What every `InventorySorter` promises."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tarkeep.domain.archives.inventory import InventoryEntry
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.ports.scratch import InventorySorter
from tests.support.processes import open_files

MIB = 1 << 20
TYPES = list(BackupType)
INHERITED = settings(suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture])

entries = st.builds(
    InventoryEntry,
    st.sampled_from(TYPES),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    st.none() | st.integers(0, 2**63 - 1),
    st.none() | st.just("0" * 32),
    st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    st.booleans(),
)


def comes_back_in_order(sorter: InventorySorter, given: list[InventoryEntry]) -> bool:
    with sorter.in_order(iter(given)) as found:
        return list(found) == sorted(given, key=lambda entry: (TYPES.index(entry.type), entry.name))


class InventorySorterContract:
    """A subclass gives the fixture *sorter*, which holds at most 1 MiB of entries in memory."""

    @INHERITED
    @given(st.lists(entries, max_size=60))
    def test_entries_come_back_in_order(self, sorter: InventorySorter, given: list[InventoryEntry]) -> None:
        """Completely, by type and by name; the sort is stable."""
        assert comes_back_in_order(sorter, given)

    def test_entries_are_read_on_entering(self, sorter: InventorySorter) -> None:
        """All of them, and none before."""
        read: list[str] = []

        def told() -> Iterator[InventoryEntry]:
            for name in ("b", "a"):
                read.append(name)
                yield InventoryEntry(TYPES[0], name)

        sorting = sorter.in_order(told())
        assert read == []
        with sorting:
            assert read == ["b", "a"]

    def test_any_number_is_held_in_bounded_memory(self, sorter: InventorySorter) -> None:
        """Also while they are read back."""

        def many() -> Iterator[InventoryEntry]:
            for number in range(20_000):
                yield InventoryEntry(TYPES[number % 3], f"{number * 7919 % 20_000:01000}")

        tracemalloc.start()
        try:
            with sorter.in_order(many()) as found:
                count = sum(1 for _ in found)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert count == 20_000
        assert most < 8 * MIB  # of 20 MiB of names

    def test_what_the_entries_raise_comes_through_and_leaves_nothing(self, sorter: InventorySorter) -> None:
        """As after the client disconnected."""
        before = open_files()

        def cut_off() -> Iterator[InventoryEntry]:
            for number in range(5000):
                yield InventoryEntry(TYPES[0], f"{number:09}")
            raise BrokenPipeError

        with pytest.raises(BrokenPipeError), sorter.in_order(cut_off()):
            pass
        assert open_files() == before
