"""Every adapter of the port `InUse` against its contract."""

from __future__ import annotations

import pytest

from tarkeep.adapters.process.in_use import ProcessInUse
from tarkeep.domain.ports.system import InUse
from tests.contracts.in_use import InUseContract


class TestProcessInUse(InUseContract):
    @pytest.fixture
    def in_use(self) -> InUse:
        return ProcessInUse()
