"""When archives may be read again, and how fast."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.scrubbing.pace import QUIET_BYTES_PER_SECOND, Window, bytes_per_second, free_at, turn_at

MIB = 1 << 20


def at(hour: int, minute: int = 0, month: int = 1) -> datetime:
    return datetime(2026, month, 5, hour, minute, tzinfo=UTC)


class TestWindow:
    def test_it_begins_with_its_first_minute_and_ends_before_its_last(self) -> None:
        window = Window.parse("08:30-17:00", UTC)

        inside = [moment for moment in (at(8, 29), at(8, 30), at(16, 59), at(17)) if window.contains(moment)]
        assert inside == [at(8, 30), at(16, 59)]

    def test_it_may_go_on_in_the_next_day(self) -> None:
        window = Window.parse("22:00-06:00", UTC)

        inside = [moment for moment in (at(5, 59), at(6), at(21, 59), at(22), at(0)) if window.contains(moment)]
        assert inside == [at(5, 59), at(22), at(0)]

    def test_it_follows_the_clock_of_its_zone(self) -> None:
        """22:00 in Paris is 21:00 UTC in winter, and 20:00 UTC in summer."""
        window = Window.parse("22:00-23:00", ZoneInfo("Europe/Paris"))

        assert window.contains(at(21))
        assert not window.contains(at(20))
        assert window.contains(at(20, month=7))

    @pytest.mark.parametrize("text", ["", "22:00", "22-06", "24:00-06:00", "22:60-06:00", "22:00-22:00", "at night"])
    def test_what_is_no_part_of_the_day_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"window|part of the day"):
            Window.parse(text, UTC)


class TestRate:
    @pytest.mark.parametrize(
        ("stated", "is_busy", "rate"),
        [
            (0, False, 0),
            (0, True, QUIET_BYTES_PER_SECOND),
            (100 * MIB, False, 100 * MIB),
            (100 * MIB, True, 25 * MIB),
            (1, True, 1),
        ],
    )
    def test_people_come_first(self, stated: int, is_busy: bool, rate: int) -> None:
        assert bytes_per_second(stated, is_busy=is_busy) == rate

    def test_without_a_rate_nothing_waits(self) -> None:
        assert free_at(5.0, 7.0, MIB, 0) == 7.0

    @given(
        st.lists(st.tuples(st.floats(0, 3), st.integers(1, MIB)), min_size=1, max_size=50), st.integers(1000, 100 * MIB)
    )
    def test_a_reader_that_waits_is_never_faster_than_the_rate(
        self, blocks: list[tuple[float, int]], rate: int
    ) -> None:
        """Whatever it does between the blocks, and also if it made a long pause."""
        free, now, read, begun = 0.0, 0.0, 0, None
        for pause, size_bytes in blocks:
            now = max(free, now + pause)
            begun = now if begun is None else begun
            free = free_at(free, now, size_bytes, rate)
            read += size_bytes

        assert begun is not None
        assert free - begun >= read / rate * 0.999


@pytest.mark.parametrize(("processors", "readers", "most"), [(1, 1, 0.5), (2, 1, 1), (2, 2, 1), (4, 2, 2), (4, 4, 3)])
def test_while_people_ask_a_processor_is_left_free(processors: int, readers: int, most: float) -> None:
    """Readers that would each work without a pause have *most* processors together."""
    blocks, seconds = 1000, 0.001
    working = [(seconds, 0.0, reader) for reader in range(readers)]
    free = end = 0.0
    for _ in range(blocks):
        now, begun, reader = heapq.heappop(working)
        free = turn_at(free, begun, seconds, processors)
        end = max(now, free)
        heapq.heappush(working, (end + seconds, end, reader))
    assert blocks * seconds / end == pytest.approx(most, rel=0.02)
