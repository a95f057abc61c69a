"""Every adapter of the ports `Readers`, `ReadingPace` and `Traffic` against its contract."""

from __future__ import annotations

import os
import threading
from itertools import count

import pytest
from attrs import define, field

from tarkeep.adapters.memory.one_reader import AnyPace, OneReader
from tarkeep.adapters.process.upkeep.readers import ThreadReaders
from tarkeep.adapters.process.upkeep.scrub_pace import ProcessTraffic, SleepingPace
from tarkeep.domain.ports.upkeep.scrubbing import Readers, ReadingPace, Traffic
from tarkeep.domain.scrubbing.pace import QUIET_BYTES_PER_SECOND
from tests.contracts.scrub_readers import MIB, ReadersContract, ReadingPaceContract, TrafficContract


class TestOneReader(ReadersContract):
    @pytest.fixture
    def readers(self) -> Readers:
        return OneReader()


class TestThreadReaders(ReadersContract):
    @pytest.fixture
    def readers(self) -> Readers:
        return ThreadReaders(3)

    def test_large_items_are_shared_by_all_threads_and_small_ones_have_one_of_their_own(self, readers: Readers) -> None:
        together = threading.Barrier(4)

        def work(item: int) -> list[str]:
            together.wait(60)  # all four have to be at work at once
            return [threading.current_thread().name]

        assert len([name for name in readers.each(work, range(3), range(3, 4)) if name]) == 4

    def test_its_threads_have_the_lowest_priority(self, readers: Readers) -> None:
        found = [
            nice
            for nice in readers.each(
                lambda item: [os.getpriority(os.PRIO_PROCESS, threading.get_native_id())], [1], [2]
            )
            if nice is not None
        ]

        assert min(found) >= 10

    def test_the_caller_is_woken_while_nothing_is_ready(self, readers: Readers) -> None:
        """So that it can look whether it is to stop."""
        goes_on = threading.Event()
        for result in readers.each(lambda item: [goes_on.wait(60)], [1], []):
            if result is None:
                goes_on.set()
            else:
                assert result


@define
class Seconds:
    """A monotonic clock that passes only while somebody sleeps."""

    now: float = 1000.0
    naps: list[float] = field(factory=list)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


class TestAnyPace(ReadingPaceContract):
    @pytest.fixture
    def pace(self) -> ReadingPace:
        return AnyPace()


class TestProcessTraffic(TrafficContract):
    @pytest.fixture
    def traffic(self) -> Traffic:
        return ProcessTraffic()

    def test_somebody_asks_now_and_then(self, seconds: Seconds) -> None:
        """For a second after the answer."""
        traffic = ProcessTraffic(lambda: seconds.now)
        with traffic.answering():
            seconds.now += 5
        seconds.now += 0.9
        assert traffic.is_asked()
        seconds.now += 0.2
        assert not traffic.is_asked()


@define(eq=False)
class Asked(ProcessTraffic):
    """Traffic that notes how long it is given way to."""

    given: list[float] = field(factory=list)

    def give_way(self, seconds: float) -> None:
        self.given.append(seconds)


class TestSleepingPace(ReadingPaceContract):
    @pytest.fixture
    def traffic(self) -> ProcessTraffic:
        return ProcessTraffic()

    @pytest.fixture
    def pace(self, traffic: ProcessTraffic, seconds: Seconds) -> ReadingPace:
        return SleepingPace(0, traffic, lambda: seconds.now, seconds.sleep)

    def test_a_rate_is_kept(self, traffic: ProcessTraffic, seconds: Seconds) -> None:
        pace = SleepingPace(10 * MIB, traffic, lambda: seconds.now, seconds.sleep)
        for _ in range(100):
            pace.took(MIB, lambda: True)

        assert seconds.now - 1000 == pytest.approx(10)

    def test_people_slow_it_down_to_a_quarter(self, traffic: ProcessTraffic, seconds: Seconds) -> None:
        pace = SleepingPace(10 * MIB, traffic, lambda: seconds.now, seconds.sleep)
        with traffic.serving():
            for _ in range(10):
                pace.took(MIB, lambda: True)

        assert seconds.now - 1000 == pytest.approx(4)

    def test_without_a_rate_people_slow_it_down_all_the_same(
        self, pace: ReadingPace, traffic: ProcessTraffic, seconds: Seconds
    ) -> None:
        pace.took(MIB, lambda: True)
        assert seconds.naps == []
        with traffic.serving():
            pace.took(QUIET_BYTES_PER_SECOND, lambda: True)

        assert seconds.now - 1000 == pytest.approx(1)
        assert max(seconds.naps) <= 0.2

    def test_a_tenth_of_the_time_is_left_to_the_reader(self, seconds: Seconds) -> None:
        """Whoever waits for an answer goes first, but not for ever."""
        traffic = Asked()
        pace = SleepingPace(0, traffic, lambda: seconds.now, seconds.sleep)
        for worked in (0.001, 0.002, 5):
            seconds.now += worked
            pace.took(MIB, lambda: True)
        assert traffic.given == pytest.approx([0, 0.018, 0.1])

    def test_a_stop_ends_the_wait(self, traffic: ProcessTraffic, seconds: Seconds) -> None:
        pace = SleepingPace(1, traffic, lambda: seconds.now, seconds.sleep)
        asked = count()
        pace.took(MIB, lambda: next(asked) < 3)

        assert len(seconds.naps) == 3
