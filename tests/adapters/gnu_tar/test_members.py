"""The walk over a tar keeps the contract of `Members`."""

from __future__ import annotations

import pytest

from tarkeep.adapters.gnu_tar.members import TarMembers
from tarkeep.domain.client.ports.extracting import Members
from tests.contracts.client.members import MembersContract


class TestTarMembers(MembersContract):
    @pytest.fixture
    def members(self) -> Members:
        return TarMembers()
