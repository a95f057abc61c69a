"""
Giving memory back to the system once those who needed it have gone.

The C library keeps what was freed for whoever comes next. After two hundred slow readers that is hundreds of megabytes
for an hour in which nobody comes.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import Callable

from attrs import define, field


def trim() -> None:
    """Have the C library give back what it holds and nobody uses; where it cannot, as with musl, it does not."""
    gc.collect()  # it is seldom done otherwise, and what failed requests held goes with it
    ask = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if ask is not None:
        ask(0)


@define
class Heap:
    """
    Gives memory back some time after it was `eased`. For the event loop alone.

    It waits *soon_seconds*, because others mostly end with the one who did; and *seldom_seconds* lie between two times,
    because what is given back and needed again costs its page faults.
    """

    run: Callable[[Callable[[], None]], object]  # in a thread
    give_back: Callable[[], None] = trim
    soon_seconds: float = 2.0
    seldom_seconds: float = 3.0
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)
    _not_before: float = field(default=0.0, init=False)

    def eased(self) -> None:
        """Somebody who needed a good deal of memory has ended."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time() + self.soon_seconds, self._not_before), self._now)

    def close(self) -> None:
        """Give nothing back any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _now(self) -> None:
        self._timer = None
        self._not_before = asyncio.get_running_loop().time() + self.seldom_seconds
        self.run(self.give_back)
