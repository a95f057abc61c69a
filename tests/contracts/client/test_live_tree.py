"""The adapters of `LiveTree` and `CheckNotes` keep their contracts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tarkeep.adapters.gnu_tar.programs import GnuTar
from tarkeep.adapters.local.live_folder import LiveFolder
from tarkeep.adapters.local.memory_file import ClientMemory
from tarkeep.domain.client.ports.memory import CheckNotes
from tests.contracts.client.live_tree import LiveTreeContract
from tests.contracts.client.local_archives import CheckNotesContract


class TestLiveFolder(LiveTreeContract):
    @pytest.fixture(autouse=True)
    def back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir("/")

    @pytest.fixture
    def live(self) -> LiveFolder:
        return LiveFolder(GnuTar())


class TestClientMemoryOfChecks(CheckNotesContract):
    @pytest.fixture
    def reopened(self, tmp_path: Path) -> Iterator[Callable[[], CheckNotes]]:
        with ExitStack() as opened:

            def again() -> CheckNotes:
                return opened.enter_context(closing(ClientMemory(tmp_path / "memory.sqlite"))).checks

            yield again
