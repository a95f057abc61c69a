"""The adapters of the small ports keep their contracts."""

from __future__ import annotations

import pytest

from tarkeep.adapters.process.background import BackgroundConsumer, ThreadBudget
from tarkeep.adapters.process.hashing import HashlibHasher
from tarkeep.adapters.process.name_locks import ProcessNameLocks
from tarkeep.domain.ports.inspection import Hasher
from tarkeep.domain.ports.store import Block
from tarkeep.domain.ports.system import NameLocks
from tests.contracts.hasher import HasherContract
from tests.contracts.name_locks import NameLocksContract


class TestHashlibHasher(HasherContract):
    @pytest.fixture
    def hasher(self) -> Hasher:
        return HashlibHasher()


class TestHashlibHasherWithoutThreads(HasherContract):
    @pytest.fixture
    def hasher(self) -> Hasher:
        return HashlibHasher(ThreadBudget(threads=0))


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
