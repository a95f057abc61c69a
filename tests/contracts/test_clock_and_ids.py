"""The contracts of `Clock` and `IdSource`, run for the real ones and for the test ones."""

from __future__ import annotations

import pytest

from tarkeep.adapters.process.clock_and_ids import RandomIds, SystemClock
from tests.contracts.clock import ClockContract
from tests.contracts.id_source import IdSourceContract
from tests.support.clocks import FixedClock, SequenceIds


class TestSystemClock(ClockContract):
    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()


class TestFixedClock(ClockContract):
    @pytest.fixture
    def clock(self) -> FixedClock:
        return FixedClock()


class TestRandomIds(IdSourceContract):
    @pytest.fixture
    def ids(self) -> RandomIds:
        return RandomIds()


class TestSequenceIds(IdSourceContract):
    @pytest.fixture
    def ids(self) -> SequenceIds:
        return SequenceIds()
