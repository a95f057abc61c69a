"""Threads that read for one caller, as many as the machine has processors."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from attrs import define, field

from ..background import step_back

T = TypeVar("T")
R = TypeVar("R")

_LOOK_SECONDS = 0.5


@define(eq=False)
class ThreadReaders:
    """`Readers` with so many *threads*, which end with each call."""

    threads: int = field(factory=lambda: os.cpu_count() or 1)

    def each(self, work: Callable[[T], R], large: Iterable[T], small: Iterable[T]) -> Iterator[R | None]:
        done: queue.SimpleQueue[Future[R]] = queue.SimpleQueue()
        pools = [ThreadPoolExecutor(count, "scrub", step_back) for count in (self.threads, 1)]
        try:
            waiting = 0
            for pool, items in zip(pools, (large, small), strict=True):
                for item in items:
                    pool.submit(work, item).add_done_callback(done.put)
                    waiting += 1
            while waiting:
                try:
                    ready = done.get(timeout=_LOOK_SECONDS)
                except queue.Empty:
                    yield None
                    continue
                waiting -= 1
                yield ready.result()
        finally:
            for pool in pools:
                pool.shutdown(wait=False, cancel_futures=True)
            for pool in pools:
                pool.shutdown()
