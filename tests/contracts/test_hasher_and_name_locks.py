"""The adapters of the small ports keep their contracts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from tarkeep.adapters.memory.shared.lease_table import MemoryLeaseTable
from tarkeep.adapters.process.background import BackgroundConsumer, ThreadBudget
from tarkeep.adapters.process.hashing import HashlibHasher
from tarkeep.adapters.process.name_locks import ProcessNameLocks
from tarkeep.adapters.process.upkeep.leased_names import LeasedNames
from tarkeep.adapters.process.upkeep.renewed_leases import RenewedLeases
from tarkeep.domain.errors.capacity import TurnLost
from tarkeep.domain.ports.inspection import Hasher
from tarkeep.domain.ports.store import Block
from tarkeep.domain.ports.system import NameLocks
from tests.contracts.hasher import HasherContract
from tests.contracts.name_locks import ID, NameLocksContract
from tests.support.alone import each_holds_alone


class TestHashlibHasher(HasherContract):
    @pytest.fixture
    def hasher(self) -> Hasher:
        return HashlibHasher()


class TestHashlibHasherWithoutThreads(HasherContract):
    @pytest.fixture
    def hasher(self) -> Hasher:
        return HashlibHasher(ThreadBudget(threads=0))


class TestLeasedNames(NameLocksContract):
    @pytest.fixture
    def table(self) -> MemoryLeaseTable:
        return MemoryLeaseTable()

    @pytest.fixture
    def names(self, table: MemoryLeaseTable) -> Iterator[NameLocks]:
        with closing(RenewedLeases(table, "here")) as leases:
            yield LeasedNames(ProcessNameLocks(), leases)

    @pytest.fixture
    def others(self, table: MemoryLeaseTable) -> Iterator[LeasedNames]:
        with closing(RenewedLeases(table, "there")) as leases:
            yield LeasedNames(ProcessNameLocks(), leases)

    def test_a_profile_is_held_alone_among_servers(self, names: LeasedNames, others: LeasedNames) -> None:
        """Two servers in turn, and so is what lies under one name; a name is free while another archive's is not."""
        assert each_holds_alone(lambda number: (names, others)[number % 2].hold_profile("document"))
        assert each_holds_alone(lambda number: (names, others)[number % 2].alone_at(ID))

    def test_whoever_was_overtaken_is_told(self, table: MemoryLeaseTable) -> None:
        """By a check, and not before; and not once the work has been left."""
        ticks = [0.0]
        with closing(RenewedLeases(table, "here", every=timedelta(days=1), ticks=lambda: ticks[0])) as leases:
            names = LeasedNames(ProcessNameLocks(), leases)
            with names.hold_profile("document"), names.alone_at(ID):
                assert [fence.name.partition("/")[0] for fence in names.fences()] == ["profile", "archive"]
                names.check()
                ticks[0] += 60
                with pytest.raises(TurnLost):
                    names.check()
            names.check()
            assert names.fences() == ()


class TestProcessNameLocks(NameLocksContract):
    @pytest.fixture
    def names(self) -> NameLocks:
        return ProcessNameLocks()


def test_an_error_beside_is_raised_in_front() -> None:
    """By the next `put` or by `finish`, and again by later ones; no call waits for a thread that has ended."""

    def refuse(block: Block) -> None:
        raise ValueError("refused")

    beside = BackgroundConsumer(refuse, name="refusing", depth=1)

    def put_many() -> None:
        for _ in range(10):
            beside.put(b"x")

    with pytest.raises(ValueError, match="refused"):
        put_many()
    with pytest.raises(ValueError, match="refused"):
        beside.finish()
    beside.close()


def test_the_budget_is_taken_and_given_back() -> None:
    """It uses exactly as many threads as the budget allows; closing twice returns them once."""
    budget = ThreadBudget(threads=2)
    sink: list[Block] = []
    first, second, third = (budget.beside(sink.append, name="idle") for _ in range(3))
    assert first is not None
    assert second is not None
    assert third is None

    first.close()
    first.close()

    again, more = (budget.beside(sink.append, name="idle") for _ in range(2))
    assert again is not None
    assert more is None
    again.close()
    second.close()
