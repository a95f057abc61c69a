"""When memory is returned to the system: soon after a large request has ended, and seldom."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest

from tarkeep.entrypoints.http.heap import Heap, trim


async def times_given_back(heap: Heap, given: list[float], count: int) -> None:
    while len(given) < count:
        heap.eased()
        await asyncio.sleep(0.001)


def test_memory_is_given_back_soon_after_and_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many requests end meanwhile. The loop's time advances by a millisecond with every look at it."""
    ticks = itertools.count()

    async def run() -> list[float]:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: next(ticks) / 1000)
        given = [loop.time()]

        def at_once(work: Callable[[], None]) -> None:
            work()

        heap = Heap(at_once, lambda: given.append(loop.time()), soon_seconds=0.01, seldom_seconds=0.05)
        await times_given_back(heap, given, 4)
        heap.eased()
        heap.close()
        await asyncio.sleep(0.1)
        return given

    began, first, second, third = asyncio.run(run())

    assert first - began >= 0.01
    assert second - first >= 0.049
    assert third - second >= 0.049


def test_the_c_library_is_asked_where_it_can_do_it() -> None:
    """On any platform, it is not an error."""
    trim()
