"""
Transactions shared by writers that are waiting at the same time.

Making a transaction durable takes longer than the work of one writer in it. So the writer whose turn it is takes along
all writers queued behind it, and those that arrive meanwhile: their works run in one transaction, one after the other,
and each call returns when that is durable. Before the commit, other threads that are ready get to run
(`let_others_come`), but it never waits for others to arrive: a lone writer commits at once, in its own thread.

Each writer says what it changes, by a name. A work joins a transaction if it need not wait for another process that
changes the same; else it is left to the next one.

One writer's failure never affects another. If a work fails, the whole transaction is rolled back and each work runs
again in a transaction of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Generic, TypeVar

from attrs import define, field

from ...domain.errors.capacity import BackendUnavailable, CatalogBusy
from ..process.shared_syncs import let_others_come

Connection = TypeVar("Connection")
Result = TypeVar("Result")

AT_MOST = 100
"""Writers that share one transaction, at most: the first of them waits for all."""


def _anything(_connection: object, _of: str) -> bool:
    """For writers that all exclude each other."""
    return True


class SharedTransactions(Generic[Connection]):
    """
    A queue of writers, for any number of threads.

    *begin* gives a transaction as a context, for changes of what it is told, or, told None, of everything: committed
    and durable when it is left, rolled back when it is left by an error. *joins* tells whether more may be changed in
    it, without waiting. *patience_seconds* is how long to wait for a turn.
    """

    def __init__(
        self,
        begin: Callable[[str | None], AbstractContextManager[Connection]],
        patience_seconds: float,
        joins: Callable[[Connection, str], bool] = _anything,
    ) -> None:
        self._begin = begin
        self._joins = joins
        self._patience_seconds = patience_seconds
        self._lock = Lock()
        self._waiting: deque[_Place[Connection]] = deque()
        self._is_taken = False

    @property
    def waiting(self) -> int:
        """How many writers are waiting."""
        with self._lock:
            return len(self._waiting)

    def together(self, work: Callable[[Connection], Result], of: str = "") -> Result:
        """
        The result of *work*, which changes something of *of*, durably committed.

        *work* may run in another thread, and a second time after its first run was rolled back.

        Raises:
            CatalogBusy: there was no turn in time; nothing was done.
            Whatever *work* raises, or the start or commit of the transaction.
        """
        results: list[Result] = []

        def run(connection: Connection) -> None:
            results[:] = [work(connection)]

        place = _Place(run, of)
        if self._has_turn(place):
            self._lead(place)
        if place.error is not None:
            raise place.error
        return results[0]

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """
        A transaction of its own for changes of everything, for work that is long or runs the caller's code.

        Raises:
            CatalogBusy: there was no turn in time.
        """
        self._has_turn(_Place(None))
        try:
            with self._begin(None) as connection:
                yield connection
        finally:
            self._pass_on()

    def _has_turn(self, place: _Place[Connection]) -> bool:
        """Wait in the queue: True when it is the turn of *place*, False when another's transaction included it."""
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return True
            self._waiting.append(place)
        if not place.called.acquire(timeout=self._patience_seconds):
            with self._lock:
                if place in self._waiting:
                    self._waiting.remove(place)
                    raise CatalogBusy
            place.called.acquire()  # its transaction has begun: wait for the outcome
        return place.is_leading

    def _pass_on(self, left_out: Sequence[_Place[Connection]] = ()) -> None:
        with self._lock:
            self._waiting.extendleft(reversed(left_out))
            if self._waiting:
                following = self._waiting.popleft()
                following.is_leading = True
                following.called.release()
            else:
                self._is_taken = False

    def _lead(self, place: _Place[Connection]) -> None:
        group, left_out = [place], list[_Place[Connection]]()
        try:
            self._run(group, left_out)
        except BaseException:  # the thread is being ended; how far the transaction got is unknown
            for other in group[1:]:
                other.error = other.error or BackendUnavailable("catalog")
            raise
        finally:
            self._pass_on(left_out)
            for other in group[1:]:
                other.called.release()

    def _run(self, group: list[_Place[Connection]], left_out: list[_Place[Connection]]) -> None:
        """Run the first of *group* and those that come meanwhile; they join it, or *left_out* if they would wait."""
        is_at_work = False
        try:
            with self._begin(group[0].of) as connection:
                is_at_work = True
                group[0].work_on(connection)
                while (place := self._next(len(group) + len(left_out))) is not None:
                    group.append(place)
                    if self._joins(connection, place.of):
                        place.work_on(connection)
                    else:
                        left_out.append(group.pop())
                is_at_work = False
        except Exception as error:
            if is_at_work and len(group) > 1:
                for place in group:
                    self._run_alone(place)
                return
            for place in group:
                place.error = error

    def _run_alone(self, place: _Place[Connection]) -> None:
        try:
            with self._begin(place.of) as connection:
                place.work_on(connection)
        except Exception as error:
            place.error = error

    def _next(self, number: int) -> _Place[Connection] | None:
        """Whoever waits first, after *number* others, unless it wants a transaction of its own; None if nobody does."""
        if not self._waiting:
            let_others_come()
        with self._lock:
            if number < AT_MOST and self._waiting and self._waiting[0].run is not None:
                return self._waiting.popleft()
        return None


@define(eq=False)
class _Place(Generic[Connection]):
    """
    A place in the queue.

    *called* is released once: when it is the turn of this place, or when a transaction that included it has ended.
    """

    run: Callable[[Connection], None] | None
    of: str = ""
    called: Lock = field(init=False)
    is_leading: bool = field(default=False, init=False)
    error: Exception | None = field(default=None, init=False)

    @called.default
    def _not_yet(self) -> Lock:
        lock = Lock()
        lock.acquire()
        return lock

    def work_on(self, connection: Connection) -> None:
        if self.run is not None:
            self.run(connection)
