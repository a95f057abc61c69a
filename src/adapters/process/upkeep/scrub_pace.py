"""How many people a server is serving, and readers that keep out of their way."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import define, field

from ....domain.ports.upkeep.scrubbing import Traffic
from ....domain.scrubbing.pace import bytes_per_second, free_at, gives_way, turn_at

_ASKED_SECONDS = 1.0
_LONGEST_NAP = 0.2
"""Seconds after which a waiting reader looks whether it is to stop."""


@define(eq=False)
class ProcessTraffic:
    """`Traffic` of this process."""

    _now: Callable[[], float] = time.monotonic
    _asked_at: float = field(default=-_ASKED_SECONDS, init=False)
    _served: int = field(default=0, init=False)
    _unanswered: int = field(default=0, init=False)
    _is_answered: threading.Event = field(init=False)
    """Set while nobody waits for an answer."""
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    @_is_answered.default
    def _at_first(self) -> threading.Event:
        event = threading.Event()
        event.set()
        return event

    @contextmanager
    def serving(self) -> Iterator[None]:
        self._serve(1)
        try:
            yield
        finally:
            self._serve(-1)

    def is_busy(self) -> bool:
        return self._served > 0

    @contextmanager
    def answering(self) -> Iterator[None]:
        self._answer(1)
        try:
            yield
        finally:
            self._answer(-1)

    def is_asked(self) -> bool:
        return self._unanswered > 0 or self._now() < self._asked_at + _ASKED_SECONDS

    def give_way(self, seconds: float) -> None:
        if not self._is_answered.is_set():
            self._is_answered.wait(seconds)

    def _serve(self, change: int) -> None:
        with self._lock:
            self._served += change

    def _answer(self, change: int) -> None:
        with self._lock:
            self._asked_at = self._now()
            self._unanswered += change
            if not self._unanswered:
                self._is_answered.set()
            elif self._unanswered == change:
                self._is_answered.clear()


@define(eq=False)
class SleepingPace:
    """`ReadingPace` of *rate* bytes per second, 0 for any, which gives way to people."""

    _rate: int
    _traffic: Traffic
    _now: Callable[[], float] = time.monotonic
    _sleep: Callable[[float], None] = time.sleep
    _processors: int = field(factory=lambda: os.cpu_count() or 1)
    _free: float = field(default=0.0, init=False)
    _turn: float = field(default=0.0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _mine: threading.local = field(factory=threading.local, init=False)
    """Since when each thread has worked."""

    def took(self, size_bytes: int, go_on: Callable[[], bool]) -> None:
        now, is_asked = self._now(), self._traffic.is_asked()
        begun = getattr(self._mine, "since", now)
        self._traffic.give_way(gives_way(now - begun))
        rate = bytes_per_second(self._rate, is_busy=self._traffic.is_busy())
        with self._lock:
            free = self._free = free_at(self._free, self._now(), size_bytes, rate)
            if is_asked:
                self._turn = turn_at(self._turn, begun, now - begun, self._processors)
                free = max(free, self._turn)
        while (left := free - self._now()) > 0 and go_on():
            self._sleep(min(left, _LONGEST_NAP))
        self._mine.since = self._now()
