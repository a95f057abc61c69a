"""
Returns memory to the system once the requests that needed it have ended.

The C library keeps freed memory for later requests. After two hundred slow readers, that is hundreds of megabytes for
an hour without requests.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import Callable

from attrs import define, field


def trim() -> None:
    """Make the C library return unused memory; does nothing if it cannot, as with musl."""
    gc.collect()  # otherwise seldom done, and it frees what failed requests held
    ask = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if ask is not None:
        ask(0)


@define
class Heap:
    """
    Returns memory some time after a call of `eased`. For the event loop only.

    It waits *soon_seconds*, because requests mostly end in groups, and at least *seldom_seconds* between two times,
    because memory returned and needed again costs page faults.
    """

    run: Callable[[Callable[[], None]], object]  # in a thread
    give_back: Callable[[], None] = trim
    soon_seconds: float = 2.0
    seldom_seconds: float = 3.0
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)
    _not_before: float = field(default=0.0, init=False)

    def eased(self) -> None:
        """A request that needed a good deal of memory has ended."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time() + self.soon_seconds, self._not_before), self._now)

    def close(self) -> None:
        """Return no more memory."""
        if self._timer is not None:
            self._timer.cancel()

    def _now(self) -> None:
        self._timer = None
        self._not_before = asyncio.get_running_loop().time() + self.seldom_seconds
        self.run(self.give_back)
