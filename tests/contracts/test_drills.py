"""Every adapter of the port `DrillTable` against its contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tarkeep.adapters.memory.upkeep.drill_table import MemoryDrillTable
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.upkeep.drill_rows import SqlDrillTable
from tests.contracts.drill_table import DrillTableContract, a_drill, ended


class TestMemoryDrillTable(DrillTableContract):
    @pytest.fixture
    def table(self) -> MemoryDrillTable:
        return MemoryDrillTable()


class TestSqlDrillTable(DrillTableContract):
    @pytest.fixture
    def catalog(self, catalog_url: str) -> Iterator[SqlCatalog]:
        with closing(SqlCatalog.open(catalog_url, busy_seconds=60)) as catalog:
            yield catalog

    @pytest.fixture
    def table(self, catalog: SqlCatalog) -> SqlDrillTable:
        return catalog.drills

    def test_it_outlives_the_process_and_a_rebuild(self, catalog: SqlCatalog, catalog_url: str) -> None:
        done = ended(catalog.drills, a_drill())
        catalog.replace([])
        catalog.close()

        with closing(SqlCatalog.open(catalog_url)) as again:
            assert again.drills.find(done.id) == done
