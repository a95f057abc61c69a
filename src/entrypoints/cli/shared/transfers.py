"""
Work on many archives by a few threads: how push and pull move them, and how digests are read.

The threads are daemons and no pool, whose end waits for all of its threads: one that waits for a silent server would
hold up an interrupted run for minutes. So whatever they do is good at any moment at which the process may end.
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
    """What became of one archive; *error* is what kept it from being moved."""

    @property
    def error(self) -> TarkeepError | None: ...


Outcome = TypeVar("Outcome", bound=Moved)


def concurrently(work: Callable[[Item], Result], items: Sequence[Item], threads: int) -> Iterator[Result]:
    """
    What *work* makes of each of *items*, as soon as it is made, by so many *threads*.

    Whatever *work* raises is raised here. When the iteration ends, for whatever reason, no item is begun any more.
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
            except BaseException as error:  # raised below, in the thread that asked
                done.put((None, error))

    for _ in range(min(threads, len(items))):
        threading.Thread(target=run, daemon=True).start()
    try:
        for _ in items:
            result, error = done.get()
            if error is not None:
                raise error
            yield result  # type: ignore[misc]  # a result wherever there is no error
    finally:
        waiting.clear()


@define
class Pace:
    """Holds its callers back so that no more than *bytes_per_second* move, all together. None is no limit."""

    bytes_per_second: int | None
    _free_at: float = field(default=0.0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def moved(self, count_bytes: int) -> None:
        """Sleep for as long as so many bytes may take; time in which nothing moved is not made up for."""
        if self.bytes_per_second is None:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + count_bytes / self.bytes_per_second
            pause = self._free_at - now
        time.sleep(pause)


@frozen
class Transfer(Generic[Item]):
    """An archive to move: *item* for the program, *label* for people. *size_bytes* is None where nobody knows."""

    item: Item
    label: str
    size_bytes: int | None


@frozen
class Ended(Generic[Outcome]):
    """How a run ended: what became of each archive, and how many it did not come to the end with."""

    outcomes: Sequence[Outcome]
    unfinished: int

    def exit_code(self, output: Output, before: Sequence[TarkeepError] = ()) -> int:
        """
        The exit code of the run, after telling what can be done about its errors, each thing once.

        *before* are errors of archives that could not even be begun.
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
    when_interrupted: str = "what has been transferred is kept, run the same command again to go on",
) -> Ended[Outcome]:
    """
    *move* each of *transfers* and *tell* what became of it, until all are done or Ctrl-C is pressed.

    *move* raises nothing that is to be expected. Bars, pace and messages are those of *output* and *settings*.
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
