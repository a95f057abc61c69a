"""
Work on many archives by a few threads: push and pull move archives, other commands compute digests.

The threads are daemons, not a pool: at exit a pool waits for all of its threads, and a thread that waits for a silent
server would delay an interrupted run for minutes. So the work must be safe if the process ends at any moment.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from attrs import define, field, frozen

from ....domain.client.progress import Progress
from ....domain.client.retrying import Notice
from ....domain.tarkeep_error import TarkeepError
from ...settings.client import AT_ONCE, SMALL_AT_ONCE, SMALL_BYTES, ClientSettings
from ..terminal.ending import INTERRUPTED
from ..terminal.exits import FAILED, OK, PARTLY, exit_code
from ..terminal.hints import hint
from ..terminal.output import Output

Item = TypeVar("Item")
Result = TypeVar("Result")


class Moved(Protocol):
    """The outcome for one archive; *error* is why it was not moved, if it was not."""

    @property
    def error(self) -> TarkeepError | None: ...


Outcome = TypeVar("Outcome", bound=Moved)


def concurrently(work: Callable[[Item], Result], items: Sequence[Item], threads: int) -> Iterator[Result]:
    """
    Yield the results of *work* on each of *items*, in order of completion, with so many *threads*.

    An exception of *work* is raised here. Once the iteration ends, for any reason, no further item is started.
    """
    waiting = deque(items)
    done: queue.SimpleQueue[tuple[Result, None] | tuple[None, BaseException]] = queue.SimpleQueue()

    def run() -> None:
        while True:
            try:
                item = waiting.popleft()
            except IndexError:
                return
            try:
                done.put((work(item), None))
            except BaseException as error:  # raised below, in the caller's thread
                done.put((None, error))

    for _ in range(min(threads, len(items))):
        threading.Thread(target=run, daemon=True).start()
    try:
        for _ in items:
            result, error = done.get()
            if error is not None:
                raise error
            yield result  # type: ignore[misc]  # a result, since there was no error
    finally:
        waiting.clear()


@define
class Pace:
    """Slows its callers to *bytes_per_second* in total. None means no limit."""

    bytes_per_second: int | None
    _free_at: float = field(default=0.0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def moved(self, count_bytes: int) -> None:
        """Sleep for the time that *count_bytes* may take; idle time is not credited."""
        if self.bytes_per_second is None:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + count_bytes / self.bytes_per_second
            pause = self._free_at - now
        time.sleep(pause)


@frozen
class Transfer(Generic[Item]):
    """An archive to move: *item* for the program, *label* for people. *size_bytes* is None if unknown."""

    item: Item
    label: str
    size_bytes: int | None


@frozen
class Ended(Generic[Outcome]):
    """The end of a run: the outcome of each archive, and how many archives it did not finish."""

    outcomes: Sequence[Outcome]
    unfinished: int

    def exit_code(self, output: Output, before: Sequence[TarkeepError] = ()) -> int:
        """
        The exit code of the run, after printing the advice for its errors, each advice once.

        *before* are the errors of archives that could not be started.
        """
        failed = [outcome.error for outcome in self.outcomes if outcome.error is not None]
        errors = [*before, *failed]
        for advice in dict.fromkeys(map(hint, errors)):
            if advice:
                output.error(f"what to do: {advice}")
        if self.unfinished:
            return INTERRUPTED
        if not errors:
            return OK
        codes = {exit_code(error) for error in errors}
        if len(failed) < len(self.outcomes):
            return PARTLY
        return codes.pop() if len(codes) == 1 else FAILED


def _at_once(transfers: Sequence[Transfer[Item]]) -> int:
    are_small = all(one.size_bytes is not None and one.size_bytes < SMALL_BYTES for one in transfers)
    return SMALL_AT_ONCE if are_small else AT_ONCE


def run(
    transfers: Sequence[Transfer[Item]],
    move: Callable[[Item, Progress, Notice], Outcome],
    tell: Callable[[Outcome], None],
    output: Output,
    settings: ClientSettings,
    when_interrupted: str = "what has been transferred is kept; run the same command again to continue",
) -> Ended[Outcome]:
    """
    *move* each of *transfers* and *tell* its outcome, until all are done or Ctrl-C is pressed.

    *move* returns expected errors in its outcome and does not raise them. Bars, pace and messages follow *output* and
    *settings*.
    """
    pace = Pace(settings.limit_rate)
    outcomes: list[Outcome] = []
    is_over = threading.Event()
    sizes = [transfer.size_bytes for transfer in transfers if transfer.size_bytes is not None]

    with output.bars(sum(sizes) if len(sizes) == len(transfers) else None) as bars:

        def move_one(transfer: Transfer[Item]) -> Outcome:
            def progress(position: int, moved_bytes: int) -> None:
                if not is_over.is_set():
                    bars.at(transfer.label, position, moved_bytes, transfer.size_bytes)
                pace.moved(moved_bytes)

            def notice(error: TarkeepError, pause: float) -> None:
                if not is_over.is_set():
                    output.message(f"{transfer.label}: {error}; again in {pause:.0f} s")

            try:
                return move(transfer.item, progress, notice)
            finally:
                bars.done(transfer.label, transfer.size_bytes)

        try:
            for outcome in concurrently(move_one, transfers, settings.jobs or _at_once(transfers)):
                outcomes.append(outcome)
                tell(outcome)
        except KeyboardInterrupt:
            is_over.set()
    unfinished = len(transfers) - len(outcomes)
    if unfinished:
        output.error(f"interrupted; {when_interrupted}")
    return Ended(outcomes, unfinished)
