"""What every `Readers`, `ReadingPace` and `Traffic` promises."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from tarkeep.domain.ports.upkeep.scrubbing import Readers, ReadingPace, Traffic

MIB = 1 << 20


class ReadersContract:
    """A test module provides the fixture ``readers``."""

    def test_every_item_is_worked_on_once(self, readers: Readers) -> None:
        results = readers.each(lambda item: [item * 2, item * 3], range(50), range(50, 90))

        expected = Counter(item * factor for item in range(90) for factor in (2, 3))
        assert Counter(result for result in results if result is not None) == expected

    def test_nothing_to_do_is_no_error(self, readers: Readers) -> None:
        assert list(readers.each(lambda item: [item], [], [])) == []

    def test_an_error_reaches_the_caller(self, readers: Readers) -> None:
        def work(item: int) -> Iterator[int]:
            yield item
            raise LookupError(item)

        for large, small in (([1], []), ([], [1])):
            with pytest.raises(LookupError):
                list(readers.each(work, large, small))

    def test_after_leaving_nothing_is_worked_on(self, readers: Readers) -> None:
        """What was under way has ended, and the rest was dropped."""
        begun, ended = [], []

        def work(item: int) -> Iterator[int]:
            for _ in range(10):
                begun.append(item)
                time.sleep(0.001)
                ended.append(item)
                yield item

        results = readers.each(work, range(500), range(500, 1000))
        assert isinstance(results, Iterator)
        with closing(results):  # type: ignore[type-var]  # every adapter is a generator
            next(results)
        seen = len(ended)

        assert len(begun) == seen < 10_000
        assert threading.active_count() < 50
        assert len(begun) == seen


class ReadingPaceContract:
    """A test module provides the fixture ``pace``, which allows any rate."""

    def test_a_reader_that_is_to_stop_does_not_wait(self, pace: ReadingPace) -> None:
        pace.took(1 << 40, lambda: False)

    def test_small_blocks_pass(self, pace: ReadingPace) -> None:
        for _ in range(100):
            pace.took(MIB, lambda: True)


class TrafficContract:
    """A test module provides the fixture ``traffic``, in which nobody is served."""

    def test_it_is_busy_while_anybody_is_served(self, traffic: Traffic) -> None:
        assert not traffic.is_busy()
        with traffic.serving():
            with traffic.serving():
                assert traffic.is_busy()
            assert traffic.is_busy()
        assert not traffic.is_busy()

    def test_whoever_fails_is_served_no_more(self, traffic: Traffic) -> None:
        with pytest.raises(RuntimeError), traffic.serving():
            raise RuntimeError
        assert not traffic.is_busy()

    def test_giving_way_ends_when_everybody_is_answered(self, traffic: Traffic) -> None:
        gone_on = threading.Event()

        def give_way() -> None:
            traffic.give_way(60)
            gone_on.set()

        traffic.give_way(60)  # nobody waits
        with traffic.answering():
            with traffic.answering():
                thread = threading.Thread(target=give_way)
                thread.start()
            assert not gone_on.wait(0.05)
        thread.join()
        assert gone_on.is_set()

    def test_people_ask_until_they_have_an_answer(self, traffic: Traffic) -> None:
        assert not traffic.is_asked()
        with traffic.answering():
            assert traffic.is_asked()

    def test_giving_way_has_an_end(self, traffic: Traffic) -> None:
        with traffic.answering():
            traffic.give_way(0.01)
        with pytest.raises(RuntimeError), traffic.answering():
            raise RuntimeError
        traffic.give_way(60)
