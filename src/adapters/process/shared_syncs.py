"""
Syncs shared by writers that need the same file or directory to be durable at the same time.

A sync makes durable everything written before it began, by any thread. So while one is running, all threads that arrive
wait for the next one, and one of them runs it for all. A thread never waits for others to arrive, but first yields to
threads that are ready to run; alone, it syncs at once.

A sync that fails has failed for all its waiters: the kernel reports a lost page only once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Condition
from time import sleep

from attrs import define, field

_TURNS = 3  # with 1, eight uploads at once take 4.1 to 4.4 syncs each; with 8, each waits longer


def let_others_come() -> None:
    """
    Yield to threads that are ready to run, so that they may get to this point, too.

    Threads that shared one sync all go on to the next place at the same time. If the first one there began its sync at
    once, the others would have to wait for it, and for one more. With eight uploads at once each takes 3.8 syncs
    instead of 4.8; alone this costs a few microseconds.
    """
    for _ in range(_TURNS):  # each lasts until that thread's next system call
        sleep(0)


@define(eq=False)
class _Place:
    """One file or directory: how many of its syncs have begun and ended, and how many threads wait for them."""

    turn: Condition = field(factory=Condition)
    begun: int = 0
    ended: int = 0
    interested: int = 0
    failures: dict[int, Exception] = field(factory=dict)


@define(eq=False)
class SharedSyncs:
    """Syncs of any number of places, for any number of threads."""

    _places: dict[Hashable, _Place] = field(factory=dict, init=False)
    _places_lock: Condition = field(factory=Condition, init=False)

    def sync(self, place: Hashable, sync: Callable[[], None]) -> None:
        """
        Return once a *sync* that began after this call, in this thread or in another for the same *place*, succeeded.

        Raises:
            Exception: what that call raised.
        """
        shared = self._enter(place)
        try:
            with shared.turn:
                wanted = shared.begun + 1
                while shared.ended < wanted:
                    if shared.begun > shared.ended:
                        shared.turn.wait()
                    else:
                        shared.turn.release()
                        let_others_come()
                        shared.turn.acquire()
                        if shared.begun < wanted:
                            self._run(shared, sync)
                failure = shared.failures.get(wanted)
            if failure is not None:
                raise failure
        finally:
            self._leave(place, shared)

    def _run(self, shared: _Place, sync: Callable[[], None]) -> None:
        """Run the next sync, releasing the lock meanwhile."""
        shared.begun += 1
        number = shared.begun
        shared.turn.release()
        failure: Exception | None = None
        try:
            sync()
        except Exception as error:
            failure = error
        finally:
            shared.turn.acquire()
            if failure is not None:
                shared.failures[number] = failure
            shared.ended = number
            shared.turn.notify_all()

    def _enter(self, place: Hashable) -> _Place:
        with self._places_lock:
            shared = self._places.setdefault(place, _Place())
            shared.interested += 1
            return shared

    def _leave(self, place: Hashable, shared: _Place) -> None:
        with self._places_lock:
            shared.interested -= 1
            if not shared.interested:  # a failure is kept while a thread may still ask for it
                del self._places[place]
