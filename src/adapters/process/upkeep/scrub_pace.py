"""How many people a server is serving, and readers that keep out of their way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import define, field

from ....domain.ports.upkeep.scrubbing import Traffic
from ....domain.scrubbing.pace import bytes_per_second, free_at

_LONGEST_NAP = 0.2
"""Seconds after which a waiting reader looks whether it is to stop."""


@define(eq=False)
class ProcessTraffic:
    """`Traffic` of this process."""

    _served: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    @contextmanager
    def serving(self) -> Iterator[None]:
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)

    def is_busy(self) -> bool:
        return self._served > 0

    def _add(self, change: int) -> None:
        with self._lock:
            self._served += change


@define(eq=False)
class SleepingPace:
    """`ReadingPace` of *rate* bytes per second, 0 for any, which gives way to people."""

    _rate: int
    _traffic: Traffic
    _now: Callable[[], float] = time.monotonic
    _sleep: Callable[[float], None] = time.sleep
    _free: float = field(default=0.0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def took(self, size_bytes: int, go_on: Callable[[], bool]) -> None:
        rate = bytes_per_second(self._rate, is_busy=self._traffic.is_busy())
        with self._lock:
            free = self._free = free_at(self._free, self._now(), size_bytes, rate)
        while rate and (left := free - self._now()) > 0 and go_on():
            self._sleep(min(left, _LONGEST_NAP))
