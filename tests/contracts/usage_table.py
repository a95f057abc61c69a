"""What every `UsageTable` promises."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.ports.upkeep.usage import UsageTable
from tarkeep.domain.watching.used import UsedOnDay

DAY = timedelta(days=1)
TODAY = date(2026, 11, 24)


class UsageTableContract:
    @pytest.fixture
    def table(self) -> UsageTable:
        raise NotImplementedError

    def test_days_are_given_back_in_order(self, table: UsageTable) -> None:
        """Those asked for, both ends included; of a day without a note there is nothing."""
        first = UsedOnDay(TODAY - 3 * DAY, {BackupType.FULL: 1 << 50, BackupType.DIFF: 2}, 3)
        last = UsedOnDay(TODAY, {BackupType.INC: 4})
        assert table.days(date.min, date.max) == []
        table.keep([last, first])

        assert table.days(TODAY - 3 * DAY, TODAY) == [first, last]
        assert table.days(TODAY - 2 * DAY, TODAY - DAY) == []
        assert table.days(TODAY, TODAY + DAY) == [last]

    def test_a_later_note_of_a_day_replaces_the_one_before(self, table: UsageTable) -> None:
        table.keep([UsedOnDay(TODAY, {BackupType.FULL: 1})])
        later = UsedOnDay(TODAY, {BackupType.INC: 2}, 5)
        table.keep([later])

        assert table.days(TODAY, TODAY) == [later]
