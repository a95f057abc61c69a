"""Every adapter of the port `ArrivalTable` against its contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.upkeep.arrival_table import MemoryArrivalTable
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.upkeep.arrival_rows import SqlArrivalTable
from tests.contracts.arrival_table import ArrivalTableContract


class TestMemoryArrivalTable(ArrivalTableContract):
    @pytest.fixture
    def catalog(self) -> MemoryCatalog:
        return MemoryCatalog()

    @pytest.fixture
    def table(self, catalog: MemoryCatalog) -> MemoryArrivalTable:
        return catalog.arrived


class TestSqlArrivalTable(ArrivalTableContract):
    @pytest.fixture
    def catalog(self, catalog_url: str) -> Iterator[SqlCatalog]:
        with closing(SqlCatalog.open(catalog_url, busy_seconds=60)) as catalog:
            yield catalog

    @pytest.fixture
    def table(self, catalog: SqlCatalog) -> SqlArrivalTable:
        return catalog.arrived
