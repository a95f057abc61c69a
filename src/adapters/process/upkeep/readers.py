"""Threads that read for one caller, as many as the machine has processors."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from attrs import define, field

from ..background import step_back

T = TypeVar("T")
R = TypeVar("R")

_LOOK_SECONDS = 0.5
_TELL_SECONDS = 0.02
"""The caller is woken for results so often at most; waking it for each of 10,000 takes as long as a quarter of them."""


@define(eq=False)
class ThreadReaders:
    """`Readers` with so many *threads*, which end with each call."""

    threads: int = field(factory=lambda: os.cpu_count() or 1)

    def each(self, work: Callable[[T], Iterable[R]], large: Iterable[T], small: Iterable[T]) -> Iterator[R | None]:
        ready: deque[R] = deque()
        ended: deque[Future[None]] = deque()
        is_news = threading.Event()
        pools = [ThreadPoolExecutor(count, "scrub", step_back) for count in (self.threads, 1)]
        is_left = False

        def worked_on(item: T) -> None:
            told = 0.0
            for result in work(item):
                ready.append(result)
                if is_left:
                    return
                if (now := time.monotonic()) >= told + _TELL_SECONDS:
                    told = now
                    is_news.set()

        def has_ended(future: Future[None]) -> None:
            ended.append(future)
            is_news.set()

        try:
            waiting = 0
            for pool, items in zip(pools, (large, small), strict=True):
                for item in items:
                    pool.submit(worked_on, item).add_done_callback(has_ended)
                    waiting += 1
            while waiting or ready:
                is_news.wait(_LOOK_SECONDS)
                is_news.clear()
                while ended:
                    ended.popleft().result()
                    waiting -= 1
                if not ready:
                    yield None
                while ready:
                    yield ready.popleft()
        finally:
            is_left = True
            for pool in pools:
                pool.shutdown(wait=False, cancel_futures=True)
            for pool in pools:
                pool.shutdown()
