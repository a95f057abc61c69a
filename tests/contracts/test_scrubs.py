"""Every adapter of the port `ScrubTable` against its contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.upkeep.scrub_table import MemoryScrubTable
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.upkeep.scrub_rows import SqlScrubTable
from tarkeep.domain.scrubbing.unread import Unread
from tests.contracts.scrub_table import ScrubTableContract
from tests.support.archives import NOON, make_archive


class TestMemoryScrubTable(ScrubTableContract):
    @pytest.fixture
    def catalog(self) -> MemoryCatalog:
        return MemoryCatalog()

    @pytest.fixture
    def table(self, catalog: MemoryCatalog) -> MemoryScrubTable:
        return catalog.scrubs


class TestSqlScrubTable(ScrubTableContract):
    @pytest.fixture
    def catalog(self, catalog_url: str) -> Iterator[SqlCatalog]:
        with closing(SqlCatalog.open(catalog_url, busy_seconds=60)) as catalog:
            yield catalog

    @pytest.fixture
    def table(self, catalog: SqlCatalog) -> SqlScrubTable:
        return catalog.scrubs

    def test_it_outlives_the_process(self, catalog: SqlCatalog, catalog_url: str) -> None:
        archive = make_archive()
        catalog.adopt([archive])
        catalog.scrubs.note(archive, NOON, is_wanted=True)
        catalog.close()

        with closing(SqlCatalog.open(catalog_url)) as again:
            assert again.scrubs.find(archive.id) == Unread(archive, NOON, is_wanted=True)
