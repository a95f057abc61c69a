"""Every adapter of the port `Catalog` against its contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.ports.catalog import Catalog
from tests.contracts.catalog import CatalogContract


class TestMemoryCatalog(CatalogContract):
    @pytest.fixture
    def catalog(self) -> Catalog:
        return MemoryCatalog()


class TestSqlCatalog(CatalogContract):
    @pytest.fixture
    def catalog(self, catalog_url: str) -> Iterator[Catalog]:
        with closing(SqlCatalog.open(catalog_url, busy_seconds=60)) as catalog:
            yield catalog
