"""Every adapter of `LeaseTable` against its contract, and the leases of a process."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import timedelta

import pytest
from attrs import define

from tarkeep.adapters.memory.shared.lease_table import MemoryLeaseTable
from tarkeep.adapters.process.upkeep.renewed_leases import RenewedLeases
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.shared.lease_rows import SqlLeaseTable
from tarkeep.domain.errors.capacity import BackendUnavailable
from tarkeep.domain.ports.upkeep.leases import Leases, Renewed
from tests.contracts.lease_table import TTL, LeaseTableContract
from tests.contracts.leases import LeasesContract


class TestMemoryLeaseTable(LeaseTableContract):
    @pytest.fixture
    def table(self) -> MemoryLeaseTable:
        return MemoryLeaseTable()


class TestSqlLeaseTable(LeaseTableContract):
    @pytest.fixture
    def table(self, catalog_url: str) -> Iterator[SqlLeaseTable]:
        with closing(SqlCatalog.open(catalog_url, busy_seconds=60)) as catalog:
            yield catalog.leases


@define
class Ticks:
    """Seconds that pass when a test says so."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@define
class Unreachable:
    """A table that is not there for a while."""

    table: MemoryLeaseTable
    is_away: bool = False

    def __getattr__(self, name: str) -> object:
        if self.is_away:
            raise BackendUnavailable("catalog")
        return getattr(self.table, name)


NEVER = timedelta(days=1)


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


def leases_of(table: object, holder: str, ticks: Ticks) -> RenewedLeases:
    """Renewed when the test says so."""
    return RenewedLeases(table, holder, TTL, NEVER, ticks)  # type: ignore[arg-type]  # it stands in for a table


class TestRenewedLeases(LeasesContract):
    @pytest.fixture
    def table(self) -> MemoryLeaseTable:
        return MemoryLeaseTable()

    @pytest.fixture
    def leases(self, table: MemoryLeaseTable, ticks: Ticks) -> Iterator[Leases]:
        with closing(RenewedLeases(table, "one", TTL, NEVER, ticks)) as leases:
            yield leases

    @pytest.fixture
    def others(self, table: MemoryLeaseTable, ticks: Ticks) -> Iterator[Leases]:
        with closing(RenewedLeases(table, "other", TTL, NEVER, ticks)) as leases:
            yield leases

    def test_a_holder_learns_that_its_lease_is_wanted(self, leases: RenewedLeases, others: Leases) -> None:
        """At the next renewal."""
        with leases.take("job/prune") as held, others.take("job/prune"):
            assert held is not None
            assert not held.is_wanted
            leases.renew()
            assert (held.is_lost, held.is_wanted) == (False, True)

    def test_a_holder_that_could_not_renew_in_time_believes_it_no_more(self, ticks: Ticks) -> None:
        """By its own even clock: it need not reach the table to know. What was lost stays lost."""
        table = Unreachable(MemoryLeaseTable())
        with closing(leases_of(table, "one", ticks)) as one, one.take("job/prune") as held:
            assert held is not None
            table.is_away = True
            ticks.seconds = TTL.total_seconds() - 1
            one.renew()
            assert not held.is_lost
            ticks.seconds += 1
            assert held.is_lost
            table.is_away, ticks.seconds = False, 0.0
            one.renew()
            assert held.is_lost

    def test_renewing_in_time_is_enough(self, ticks: Ticks) -> None:
        """However long it takes."""
        with closing(leases_of(MemoryLeaseTable(), "one", ticks)) as one, one.take("job/prune") as held:
            assert held is not None
            for _ in range(10):
                ticks.seconds += TTL.total_seconds() - 1
                one.renew()
                assert not held.is_lost

    def test_a_holder_learns_that_somebody_took_its_lease(self, ticks: Ticks) -> None:
        """As after a machine stood still: at the next renewal, whatever its own clock says."""

        class Overtaken(MemoryLeaseTable):
            def renew(self, holder: str, ttl: timedelta) -> Mapping[str, Renewed]:
                renewed = super().renew(holder, ttl)
                return {name: Renewed(lease.fence + 1, is_wanted=False) for name, lease in renewed.items()}

        with closing(leases_of(Overtaken(), "one", ticks)) as one, one.take("job/prune") as held:
            assert held is not None
            one.renew()
            assert held.is_lost

    def test_a_table_that_is_away_is_told(self, ticks: Ticks) -> None:
        """Nobody takes what he cannot note; and the name is free for the next try."""
        table = Unreachable(MemoryLeaseTable(), is_away=True)
        with closing(leases_of(table, "one", ticks)) as one:
            with pytest.raises(BackendUnavailable), one.take("job/prune"):
                pass
            table.is_away = False
            with one.take("job/prune") as held:
                assert held is not None

    def test_a_thread_renews_what_is_held(self, ticks: Ticks) -> None:
        """Again and again, for as long as it is held."""
        renewals = threading.Semaphore(0)

        class Counted(MemoryLeaseTable):
            def renew(self, holder: str, ttl: timedelta) -> Mapping[str, Renewed]:
                renewals.release()
                return super().renew(holder, ttl)

        often = timedelta(milliseconds=1)
        with closing(RenewedLeases(Counted(), "one", TTL, often, ticks)) as one, one.take("job/prune") as held:
            assert all(renewals.acquire(timeout=60) for _ in range(5))
            assert held is not None
            assert not held.is_lost
