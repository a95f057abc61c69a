"""Every adapter of the port `SessionTable` against its contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tarkeep.adapters.memory.sessions import MemorySessionTable
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.upkeep.session_rows import SqlSessionTable
from tests.contracts.session_table import SessionTableContract


class TestMemorySessionTable(SessionTableContract):
    @pytest.fixture
    def table(self) -> MemorySessionTable:
        return MemorySessionTable()


class TestSqlSessionTable(SessionTableContract):
    @pytest.fixture
    def table(self, catalog_url: str) -> Iterator[SqlSessionTable]:
        with closing(SqlCatalog.open(catalog_url, busy_seconds=60)) as catalog:
            yield catalog.sessions
