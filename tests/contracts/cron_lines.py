"""What every `CronLines` promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tarkeep.domain.ports.upkeep.jobs import CronLines

INHERITED = settings(suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture])
BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
AHEAD = datetime(2026, 3, 29, tzinfo=UTC)  # at 01:00 UTC the clocks of Berlin go from 02:00 to 03:00
BACK = datetime(2026, 10, 25, tzinfo=UTC)  # at 01:00 UTC they go from 03:00 to 02:00


def times(lines: CronLines, line: str, after: datetime, count: int, zone: ZoneInfo = BERLIN) -> list[str]:
    """The next times, in UTC."""
    schedule, found = lines.read(line, zone), []
    for _ in range(count):
        after = schedule.after(after)
        found.append(f"{after.astimezone(UTC):%m-%d %H:%M}")
    return found


class CronLinesContract:
    """A test module provides the fixture ``lines``."""

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("0 4 * * *", ["11-24 04:00", "11-25 04:00"]),
            ("30 3 * * 0", ["11-29 03:30", "12-06 03:30"]),
            ("0 12 * * MON", ["11-30 12:00", "12-07 12:00"]),
            ("*/20 * * * *", ["11-23 12:20", "11-23 12:40"]),
            ("0 2 1 * *", ["12-01 02:00", "01-01 02:00"]),
            ("0 0 29 2 *", ["02-29 00:00"]),
        ],
    )
    def test_the_times_of_a_line(self, lines: CronLines, line: str, expected: list[str]) -> None:
        """Each after the moment that is stated, never at it."""
        assert times(lines, line, MONDAY, len(expected), ZoneInfo("UTC")) == expected

    def test_they_are_those_of_the_zone(self, lines: CronLines) -> None:
        """The same time of day in summer and in winter."""
        assert times(lines, "0 4 * * *", datetime(2026, 10, 23, 12, tzinfo=UTC), 3) == [
            "10-24 02:00",
            "10-25 03:00",
            "10-26 03:00",
        ]

    def test_a_time_that_does_not_exist_comes_at_the_first_that_does(self, lines: CronLines) -> None:
        assert times(lines, "30 2 * * *", AHEAD - timedelta(hours=12), 3) == [
            "03-29 01:00",
            "03-30 00:30",
            "03-31 00:30",
        ]

    @pytest.mark.parametrize("minutes", range(0, 180, 15))
    def test_a_time_that_exists_twice_comes_once(self, lines: CronLines, minutes: int) -> None:
        """Wherever in the night one asks: after the first of both it comes the next day."""
        found = times(lines, "30 2 * * *", BACK + timedelta(minutes=minutes), 1)
        assert found == (["10-25 00:30"] if minutes < 30 else ["10-26 01:30"])

    def test_hours_with_a_star_go_on_through_both(self, lines: CronLines) -> None:
        found = times(lines, "0 * * * *", BACK - timedelta(minutes=30), 4)
        assert found == ["10-25 00:00", "10-25 01:00", "10-25 02:00", "10-25 03:00"]

    @INHERITED
    @given(
        minutes=st.integers(0, 60 * 24 * 365 * 2),
        line=st.sampled_from(["30 2 * * *", "0,59 1-3 * * *", "*/7 * * * *", "15 2 * 3,10 0", "0 0 1 1 *"]),
    )
    @example(minutes=0, line="30 2 * * *")
    def test_no_time_is_left_out_or_goes_back(self, lines: CronLines, minutes: int, line: str) -> None:
        """From any moment before the next time, that is the next one."""
        schedule = lines.read(line, BERLIN)
        moment = datetime(2025, 6, 1, tzinfo=UTC) + timedelta(minutes=minutes)

        at = schedule.after(moment)

        assert at > moment
        assert at.utcoffset() == timedelta()
        assert schedule.after(at - timedelta(seconds=1)) == at
        assert schedule.after(moment + (at - moment) / 2) == at

    def test_at_the_end_of_time_there_is_none(self, lines: CronLines) -> None:
        end = datetime.max.replace(tzinfo=UTC)
        assert lines.read("0 4 * * *", BERLIN).after(end) == end

    @pytest.mark.parametrize(
        "line",
        [
            "",
            "4",
            "0 4 * *",
            "0 0 4 * * *",
            "@daily",
            "60 4 * * *",
            "0 24 * * *",
            "0 4 32 * *",
            "0 4 * 13 *",
            "0 4 * * 8",
            "x 4 * * *",
            "*/0 * * * *",
            "5-1 * * * *",
            "0 4 * * 1#6",
            "0 4 * * \u00b2L",
            "0 4 31 2 *",
            "0 0 L/2 * 1-2-3",
            "9" * 5000 + " * * * *",
            "0 " * 300,
        ],
    )
    def test_what_is_no_cron_line_is_refused(self, lines: CronLines, line: str) -> None:
        with pytest.raises(ValueError, match="cron line") as caught:
            lines.read(line, BERLIN)
        assert len(str(caught.value)) < 400
