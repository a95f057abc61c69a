"""Every adapter of the ports `Figures` and `Tally` against their contracts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.upkeep.drill_table import MemoryDrillTable
from tarkeep.adapters.memory.upkeep.figures import MemoryFigures
from tarkeep.adapters.memory.upkeep.scrub_table import MemoryScrubTable
from tarkeep.adapters.process.upkeep.tally import ProcessTally
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.upkeep.drill_rows import SqlDrillTable
from tarkeep.adapters.sql.upkeep.figure_rows import SqlFigures
from tarkeep.adapters.sql.upkeep.scrub_rows import SqlScrubTable
from tests.contracts.figures import FiguresContract, TallyContract


class TestMemoryFigures(FiguresContract):
    @pytest.fixture
    def catalog(self) -> MemoryCatalog:
        return MemoryCatalog()

    @pytest.fixture
    def table(self, catalog: MemoryCatalog) -> MemoryScrubTable:
        return catalog.scrubs

    @pytest.fixture
    def drills(self, catalog: MemoryCatalog) -> MemoryDrillTable:
        return catalog.drills

    @pytest.fixture
    def figures(self, catalog: MemoryCatalog) -> MemoryFigures:
        return catalog.figures


class TestSqlFigures(FiguresContract):
    @pytest.fixture
    def catalog(self, catalog_url: str) -> Iterator[SqlCatalog]:
        with closing(SqlCatalog.open(catalog_url, busy_seconds=60)) as catalog:
            yield catalog

    @pytest.fixture
    def table(self, catalog: SqlCatalog) -> SqlScrubTable:
        return catalog.scrubs

    @pytest.fixture
    def drills(self, catalog: SqlCatalog) -> SqlDrillTable:
        return catalog.drills

    @pytest.fixture
    def figures(self, catalog: SqlCatalog) -> SqlFigures:
        return catalog.figures


class TestProcessTally(TallyContract):
    @pytest.fixture
    def tally(self) -> ProcessTally:
        return ProcessTally()
