"""The same tests over memory and over a disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tarkeep.adapters.filesystem.archive_store import FilesystemArchiveStore
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tests.support.clocks import FixedClock, SequenceIds
from tests.support.nights import Nights


@pytest.fixture(params=["memory", "filesystem"])
def nights(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Nights]:
    (tmp_path / "place").mkdir()
    clock = FixedClock()
    if request.param == "memory":
        yield Nights(tmp_path / "place", MemoryArchiveStore(clock), clock=clock)
        return
    store = FilesystemArchiveStore.open(tmp_path / "data", ids=SequenceIds())
    try:
        yield Nights(tmp_path / "place", store, clock=clock)
    finally:
        store.close()
