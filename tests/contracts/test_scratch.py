"""Scratch files, in memory and on the disk, and the sorter that lays runs into them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tarkeep.adapters.filesystem.scratch import HELD_BYTES, ScratchFiles
from tarkeep.adapters.process.inventory_sorter import SpillingSorter
from tarkeep.domain.archives.inventory import InventoryEntry
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.ports.scratch import Scratch

TYPES = list(BackupType)


@pytest.fixture(params=["memory", "disk"])
def scratch(request: pytest.FixtureRequest, tmp_path: Path) -> Scratch:
    return ScratchFiles(None if request.param == "memory" else tmp_path)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("size", [0, 1, HELD_BYTES - 1, HELD_BYTES, 3 * HELD_BYTES + 17])
def test_what_is_appended_is_read_anywhere(scratch: Scratch, size: int) -> None:
    """Whatever of it still is in memory; beyond the end there is nothing."""
    rng = random.Random(size)
    content = rng.randbytes(size)
    with scratch.file() as file:
        for at in range(0, size, 50_000):
            file.append(memoryview(content)[at : at + 50_000])

        assert file.size_bytes == size
        assert file.read(0, size + 1) == content
        for _ in range(100):
            start, length = rng.randrange(size + 10), rng.randrange(size + 10)
            assert file.read(start, length) == content[start : start + length]


def test_it_can_be_read_while_it_grows(scratch: Scratch) -> None:
    """The reader sees what was appended before it asked."""
    expected = b""
    with scratch.file() as file:
        for number in range(100):
            block = b"%d," % number * 2000
            file.append(block)
            expected += block
            assert file.read(len(expected) - 3, 10) == expected[-3:]
        assert file.read(0, len(expected)) == expected


def test_nothing_is_left_of_it(tmp_path: Path) -> None:
    """It has no name, and no descriptor once it was left."""
    before = open_files()
    with ScratchFiles(tmp_path).file() as file:
        file.append(bytes(2 * HELD_BYTES))
        assert open_files() == before + 1
        assert list(tmp_path.iterdir()) == []

    assert open_files() == before
    assert list(tmp_path.iterdir()) == []


def test_in_memory_there_is_no_file() -> None:
    """However long it is."""
    before = open_files()
    with ScratchFiles(None).file() as file:
        file.append(bytes(10 * HELD_BYTES))
        assert open_files() == before


entries = st.builds(
    InventoryEntry,
    st.sampled_from(TYPES),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    st.none() | st.integers(0, 2**63 - 1),
    st.none() | st.just("0" * 32),
    st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    st.booleans(),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(entries, max_size=60), st.sampled_from([1, 1500, 3000, 1 << 20]))
def test_entries_come_back_in_order_and_equal_places_as_they_came(
    scratch: Scratch, side: list[InventoryEntry], run_bytes: int
) -> None:
    """With a run for each, for a few, and with everything in memory."""
    with SpillingSorter(scratch, run_bytes).in_order(iter(side)) as found:
        in_order = list(found)

    assert in_order == sorted(side, key=lambda entry: (TYPES.index(entry.type), entry.name))


def test_what_the_entries_raise_comes_through_and_leaves_nothing(tmp_path: Path) -> None:
    """As where the client went away."""
    before = open_files()

    def cut_off() -> Iterator[InventoryEntry]:
        for number in range(5000):
            yield InventoryEntry(TYPES[0], f"{number:09}")
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError), SpillingSorter(ScratchFiles(tmp_path), 1000).in_order(cut_off()):
        pass

    assert open_files() == before
