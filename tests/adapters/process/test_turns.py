"""Turns within this process keep the contract."""

from __future__ import annotations

import pytest

from tarkeep.adapters.process.turns import ProcessTurns
from tarkeep.domain.ports.system import Turns
from tests.contracts.turns import TurnsContract


class TestProcessTurns(TurnsContract):
    @pytest.fixture
    def turns(self) -> Turns:
        return ProcessTurns()
