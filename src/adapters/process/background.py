"""
Work in the background: a thread that consumes blocks while the caller goes on, and a budget of such threads.

Hashing and inflating release the GIL, so one upload can use a second core. With more uploads than cores a second
thread only costs context switches: hence the budget; once it is used up, work runs in the caller's thread.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from attrs import define, field

from ...domain.ports.store import Block

THREAD_FROM_BYTES = 1 << 20
"""Below this, starting a thread costs more than it saves (2,430 against 1,580 small bodies per second)."""
_NICENESS = 10


def step_back() -> None:
    """
    Lower the priority of this thread, and of those it starts, below that of threads that a caller waits for.

    Linux keeps the nice value per thread. It is never raised: where the whole process runs with less priority, that
    stays, since ordinary users may not raise it.
    """
    thread = threading.get_native_id()
    with suppress(OSError):  # a courtesy only
        os.setpriority(os.PRIO_PROCESS, thread, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))


@define
class ThreadBudget:
    """How many threads may work beside those of the callers; thread-safe."""

    threads: int = field(factory=lambda: max(1, (os.cpu_count() or 1) - 1))
    _free: threading.Semaphore = field(init=False)

    @_free.default
    def _all(self) -> threading.Semaphore:
        return threading.Semaphore(self.threads)

    def beside(self, consume: Callable[[Block], None], *, name: str) -> BackgroundConsumer | None:
        """A thread that calls *consume*, if the budget has one left; closing it returns it to the budget."""
        if not self._free.acquire(blocking=False):
            return None
        try:
            return BackgroundConsumer(consume, name=name, on_close=self._free.release)
        except BaseException:  # no thread could be started
            self._free.release()
            raise


class BackgroundConsumer:
    """
    Calls *consume* with every block put in, in order, in a thread of its own.

    At most *depth* blocks wait. An error of *consume* ends the work and is raised by the next `put` or by `finish`.
    """

    def __init__(
        self,
        consume: Callable[[Block], None],
        *,
        name: str,
        depth: int = 2,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._consume = consume
        self._on_close = on_close
        self._depth = depth
        self._blocks: deque[Block] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, block: Block) -> None:
        """Queue *block*; blocks while *depth* blocks are waiting."""
        with self._changed:
            while len(self._blocks) >= self._depth and self._error is None:
                self._changed.wait()
            if self._error is not None:
                raise self._error
            self._blocks.append(block)
            self._changed.notify_all()

    def finish(self) -> None:
        """Wait until every block was consumed and the thread has ended."""
        self._end(drop_waiting=False)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End the thread, dropping queued blocks; then *on_close* is called. Idempotent."""
        self._end(drop_waiting=True)
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()

    def _end(self, *, drop_waiting: bool) -> None:
        with self._changed:
            self._ended = True
            if drop_waiting:
                self._blocks.clear()
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                with self._changed:
                    while not self._blocks and not self._ended:
                        self._changed.wait()
                    if not self._blocks:
                        return
                    block = self._blocks.popleft()
                    self._changed.notify_all()
                self._consume(block)
        except BaseException as error:  # passed to the caller's thread, which raises it
            with self._changed:
                self._error = error
                self._blocks.clear()
                self._changed.notify_all()
