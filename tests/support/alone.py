"""Threads that hold a lock in turn: does more than one ever hold it?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager


def each_holds_alone(hold: Callable[[int], AbstractContextManager[None]]) -> bool:
    """Whether no two of eight threads, each holding it ten times, hold it at once."""
    alone = threading.Lock()

    def take(number: int) -> bool:
        with hold(number):
            free = alone.acquire(blocking=False)
            if free:
                time.sleep(0.001)  # time for another thread to enter, if it could
                alone.release()
            return free

    with ThreadPoolExecutor(8) as pool:
        return all(list(pool.map(take, range(80))))
