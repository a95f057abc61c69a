"""
The leases of this process, renewed by one thread while they are held.

The rule: a holder never believes longer than the table that it holds a lease. The table counts from the moment at which
it gave or renewed the lease; this counts from before it asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from attrs import define, field

from ....domain.ports.upkeep.leases import HeldLease, LeaseTable
from ....domain.tarkeep_error import TarkeepError

TTL = timedelta(seconds=15)
EVERY = timedelta(seconds=2.5)


def _nothing() -> None:
    """For holders that look at `HeldLease.is_wanted` themselves."""


@define(eq=False)
class _Held:
    fence: int
    believed_until: float
    ticks: Callable[[], float]
    when_wanted: Callable[[], None]
    was_taken: bool = False
    is_wanted: bool = False

    @property
    def is_lost(self) -> bool:
        if self.ticks() >= self.believed_until:
            self.was_taken = True  # it stays lost, even if it could be renewed now
        return self.was_taken


@define(eq=False)
class RenewedLeases:
    """
    `Leases` of the process *holder*, a name that no other process has; end them with `close`.

    *ticks* gives seconds that are never set, and that pass while the machine sleeps.
    """

    table: LeaseTable
    holder: str
    ttl: timedelta = TTL
    every: timedelta = EVERY
    ticks: Callable[[], float] = field(default=lambda: time.clock_gettime(time.CLOCK_BOOTTIME))
    _held: dict[str, _Held] = field(factory=dict, init=False)
    _asked: set[str] = field(factory=set, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _ended: threading.Event = field(factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    @contextmanager
    def take(self, name: str, when_wanted: Callable[[], None] = _nothing) -> Iterator[HeldLease | None]:
        with self._lock:
            if name in self._asked:  # the table tells threads of one process apart by nothing
                is_free = False
            else:
                is_free = True
                self._asked.add(name)
        if not is_free:
            yield None
            return
        try:
            since = self.ticks()
            fence = self.table.take(name, self.holder, self.ttl)
            if fence is None:
                yield None
                return
            held = _Held(fence, since + self.ttl.total_seconds(), self.ticks, when_wanted)
            with self._lock:
                self._held[name] = held
                self._renew_from_now_on()
            try:
                yield held
            finally:
                with self._lock:
                    del self._held[name]
                with suppress(TarkeepError):  # then it ends by itself
                    self.table.give_up(name, self.holder, fence)
        finally:
            with self._lock:
                self._asked.discard(name)

    def renew(self) -> None:
        """Renew what is held, and note what was lost; the thread of this object does so again and again."""
        with self._lock:
            before = dict(self._held)
        if not before:
            return
        since = self.ticks()
        try:
            renewed = self.table.renew(self.holder, self.ttl)
        except TarkeepError:  # at the next time; meanwhile each holder counts its own time
            return
        for name, held in before.items():
            one = renewed.get(name)
            if one is None or one.fence != held.fence:
                held.was_taken = True
            elif not held.is_lost:
                held.is_wanted = one.is_wanted
                held.believed_until = since + self.ttl.total_seconds()
                if one.is_wanted:
                    held.when_wanted()

    def close(self) -> None:
        """End the thread. What is still held ends by itself."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _renew_from_now_on(self) -> None:
        if self._thread is None and not self._ended.is_set():
            self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(self.every.total_seconds()):
            self.renew()
