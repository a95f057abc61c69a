"""The contract of `Notifier`, run for the one that writes log lines and for the test one."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from attrs import field, frozen

from tarkeep.adapters.memory.upkeep.evidence_log import MemoryEvidenceLog
from tarkeep.adapters.memory.upkeep.notice_table import MemoryNoticeTable
from tarkeep.domain.evidence.entry import entry_of
from tarkeep.domain.notices.event import Event
from tarkeep.domain.notices.routes import NoticePlan, PlanInUse, Route
from tarkeep.domain.usecases.notices.raise_event import RaiseEvent
from tarkeep.entrypoints.logs import Log, LoggedNotices, line_format
from tarkeep.entrypoints.wiring.notices import AlertingNotices
from tests.contracts.notifier import ONE, OTHER, NotifierContract, NotifierDoor
from tests.support.archives import NOON
from tests.support.assembled import Notices
from tests.support.clocks import FixedClock, SequenceIds


@frozen
class _LogDoor:
    """A separate log, written like the server's."""

    format: str
    notifier: LoggedNotices = field(factory=lambda: LoggedNotices(Log("tarkeep-tests-notices")))
    _written: io.BytesIO = field(factory=io.BytesIO)
    _handler: logging.StreamHandler[io.TextIOWrapper] = field(init=False)

    @_handler.default
    def _writing(self) -> logging.StreamHandler[io.TextIOWrapper]:
        handler: logging.StreamHandler[io.TextIOWrapper] = logging.StreamHandler(
            io.TextIOWrapper(self._written, encoding="utf-8", errors="backslashreplace")
        )
        handler.setFormatter(line_format(self.format))
        logging.getLogger("tarkeep-tests-notices").addHandler(handler)
        return handler

    def told(self) -> list[str]:
        return self._written.getvalue().decode().splitlines()

    def break_down(self) -> None:
        self._handler.stream.detach()

    def close(self) -> None:
        logging.getLogger("tarkeep-tests-notices").removeHandler(self._handler)


@frozen
class _MemoryDoor:
    notifier: Notices

    def told(self) -> list[str]:
        return [" ".join(one) for one in self.notifier.told]

    def break_down(self) -> None:
        """Memory never refuses a write."""


class TestLoggedNotices(NotifierContract):
    @pytest.fixture(params=["text", "json"])
    def door(self, request: pytest.FixtureRequest) -> Iterator[NotifierDoor]:
        door = _LogDoor(request.param)
        yield door
        door.close()

    def test_a_wrong_record_is_told_with_the_command_that_mends_it(self, door: NotifierDoor) -> None:
        """Which only this side knows."""
        door.notifier.misrecorded(OTHER, "SHA-256")

        assert "; run tarkeep rebuild --check to correct it" in door.told()[0]


class TestAlertingNotices(NotifierContract):
    @pytest.fixture
    def table(self) -> MemoryNoticeTable:
        return MemoryNoticeTable()

    @pytest.fixture
    def evidence(self) -> MemoryEvidenceLog:
        return MemoryEvidenceLog()

    @pytest.fixture
    def door(self, table: MemoryNoticeTable, evidence: MemoryEvidenceLog) -> Iterator[NotifierDoor]:
        raise_event = RaiseEvent(
            table, FixedClock(), SequenceIds(), PlanInUse(NoticePlan(("ops",), (Route(("ops",)),)))
        )
        log = Log("tarkeep-tests-notices")
        door = _LogDoor("text", AlertingNotices(log, raise_event, evidence, FixedClock()))
        yield door
        door.close()

    def test_what_was_wrong_for_a_moment_is_an_alert(self, door: NotifierDoor, table: MemoryNoticeTable) -> None:
        """Each time: nothing else shows it afterwards."""
        door.notifier.unstable(OTHER, "its bytes are not what was received")
        door.notifier.unstable(OTHER, "its bytes are not what was received")
        made = table.due(NOON, limit=10)
        assert [(one.items[0].key.event, one.items[0].key.profile) for one in made] == [(Event.UNSTABLE, "laptop")] * 2

    def test_damage_and_repairs_are_in_the_evidence(self, door: NotifierDoor, evidence: MemoryEvidenceLog) -> None:
        """Each with its archive, whoever found it."""
        door.notifier.damaged(ONE, "its file is missing")
        door.notifier.misrecorded(ONE, "MD5")
        door.notifier.whole(ONE)
        door.notifier.mended(OTHER, "its side-car is missing")
        door.notifier.unstable(OTHER, "its bytes are not what was received")
        entries = [entry for line in evidence.read(evidence.months()[0]) if (entry := entry_of(line)) is not None]

        assert [(entry.kind.value, entry.told["profile"], entry.told["archive"]) for entry in entries] == [
            ("damaged", "document", "FULL/a.tar.gz"),
            ("damaged", "document", "FULL/a.tar.gz"),
            ("repaired", "document", "FULL/a.tar.gz"),
            ("mended", "laptop", "INC/b.tar.gz"),
            ("unstable", "laptop", "INC/b.tar.gz"),
        ]
        assert entries[0].told["what"] == "its file is missing"


class TestNotices(NotifierContract):
    @pytest.fixture
    def door(self) -> NotifierDoor:
        return _MemoryDoor(Notices())
