"""Threads that hold something in turn: does ever more than one hold it?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager


def each_holds_alone(hold: Callable[[int], AbstractContextManager[None]]) -> bool:
    """Of eight threads that hold something ten times each, no two do at once."""
    alone = threading.Lock()

    def take(number: int) -> bool:
        with hold(number):
            free = alone.acquire(blocking=False)
            if free:
                time.sleep(0.001)  # for another to come in, if it could
                alone.release()
            return free

    with ThreadPoolExecutor(8) as pool:
        return all(list(pool.map(take, range(80))))
