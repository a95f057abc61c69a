"""Every adapter of the ports `JobTable` and `CronLines` against its contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tarkeep.adapters.cron_lines import CronsimLines
from tarkeep.adapters.memory.shared.lease_table import MemoryLeaseTable
from tarkeep.adapters.memory.upkeep.job_table import MemoryJobTable
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.upkeep.job_rows import SqlJobTable
from tarkeep.domain.jobs.run import RunCause
from tarkeep.domain.ports.upkeep.jobs import CronLines, JobTable
from tarkeep.domain.ports.upkeep.leases import LeaseTable
from tests.contracts.cron_lines import CronLinesContract
from tests.contracts.job_table import MOMENT, JobTableContract, ran
from tests.support.archives import make_archive


class TestMemoryJobTable(JobTableContract):
    @pytest.fixture
    def leases(self) -> LeaseTable:
        return MemoryLeaseTable()

    @pytest.fixture
    def table(self, leases: MemoryLeaseTable) -> JobTable:
        return MemoryJobTable(leases)


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[SqlCatalog]:
    with closing(SqlCatalog.open(catalog_url, busy_seconds=60)) as catalog:
        yield catalog


class TestSqlJobTable(JobTableContract):
    @pytest.fixture
    def table(self, catalog: SqlCatalog) -> SqlJobTable:
        return catalog.jobs

    @pytest.fixture
    def leases(self, catalog: SqlCatalog) -> LeaseTable:
        return catalog.leases

    def test_it_outlives_the_process(self, catalog: SqlCatalog, catalog_url: str) -> None:
        catalog.jobs.note("prune", "stated", MOMENT)
        run = catalog.jobs.begin("prune", RunCause.SCHEDULED, MOMENT)
        catalog.close()

        with closing(SqlCatalog.open(catalog_url)) as again:
            assert again.jobs.records()["prune"].last == run

    def test_a_catalog_made_anew_keeps_the_runs(self, catalog: SqlCatalog) -> None:
        """They are not in the store, from which it is made."""
        run = ran(catalog.jobs, "prune", MOMENT)

        catalog.replace([make_archive()])

        assert catalog.jobs.runs("prune") == [run]
        assert catalog.is_sound()


class TestCronsimLines(CronLinesContract):
    @pytest.fixture
    def lines(self) -> CronLines:
        return CronsimLines()
