"""Every adapter of the port `UsageTable` against its contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tarkeep.adapters.memory.upkeep.usage_table import MemoryUsageTable
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.upkeep.usage_rows import SqlUsageTable
from tests.contracts.usage_table import UsageTableContract


class TestMemoryUsageTable(UsageTableContract):
    @pytest.fixture
    def table(self) -> MemoryUsageTable:
        return MemoryUsageTable()


class TestSqlUsageTable(UsageTableContract):
    @pytest.fixture
    def table(self, catalog_url: str) -> Iterator[SqlUsageTable]:
        with closing(SqlCatalog.open(catalog_url, busy_seconds=60)) as catalog:
            yield catalog.used
