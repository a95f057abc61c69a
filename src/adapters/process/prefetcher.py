"""
Pieces made ahead of their reader, in a thread, and a bound on the memory that this may take.

Inflating releases the GIL, so a restore can use a second core. Read-ahead is lent to a limited number of readers, and
only while they read: a reader that takes nothing for a while, as with a slow client, loses it once another reader wants
it. Its waiting pieces are made again when it goes on, without a thread, and only once.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing

from attrs import define, field

from ...domain.ports.unpacking import NOT_YET, NotYet

AHEAD_PIECES = 256
"""Pieces made ahead of the reader, at most: 32 MiB of an archive, some 30 ms of inflating."""

IDLE_SECONDS = 1.0
"""A reader that takes nothing for so long has no use for its waiting pieces."""

_AT_MOST = 4  # readers, so that all read-ahead takes at most 128 MiB on a machine of any size
_WOKEN_FOR = 16


@define
class AheadBudget:
    """How many readers may have pieces made ahead at once; thread-safe."""

    readers: int = field(factory=lambda: min(_AT_MOST, max(1, (os.cpu_count() or 1) - 1)))
    now: Callable[[], float] = time.monotonic
    _lent: list[Prefetcher] = field(factory=list, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def ahead(
        self, begin: Callable[[], Generator[bytes, None, None]], *, name: str
    ) -> Generator[bytes | NotYet, None, None]:
        """
        The pieces that *begin* gives, made ahead of the caller in a thread while the budget allows it.

        *begin* may be called again, and must then give the same bytes. Closing the iterator closes the one it wraps.
        """
        given_bytes = 0
        lent = self._lend(begin, name)
        if lent is not None:
            try:
                for piece in lent:
                    if piece is not NOT_YET:
                        given_bytes += len(piece)
                    yield piece
            finally:
                self._take_back(lent)
            if not lent.gave_way:
                return
        with closing(begin()) as pieces:
            yield from _behind(pieces, given_bytes)

    def _lend(self, begin: Callable[[], Generator[bytes, None, None]], name: str) -> Prefetcher | None:
        with self._lock:
            if len(self._lent) >= self.readers:
                idle = next((each for each in self._lent if each.is_idle), None)
                if idle is None:
                    return None
                self._lent.remove(idle)
                idle.give_way()
            lent = Prefetcher(begin(), name=name, now=self.now)
            self._lent.append(lent)
            return lent

    def _take_back(self, lent: Prefetcher) -> None:
        lent.close()
        with self._lock:
            if lent in self._lent:
                self._lent.remove(lent)


def _behind(pieces: Iterator[bytes], skipped_bytes: int) -> Iterator[bytes]:
    """*pieces* without their first bytes."""
    for piece in pieces:
        if skipped_bytes < len(piece):
            yield piece[skipped_bytes:] if skipped_bytes else piece
        skipped_bytes = max(0, skipped_bytes - len(piece))


class Prefetcher:
    """
    Iterates over *pieces* in a thread of its own, at most *depth* pieces ahead of the caller.

    While the next piece is still being made, `NOT_YET` is given instead. A waiting caller is woken for several pieces
    at once, because every switch of threads costs both. An error is raised at its position among the pieces. Closing
    ends the thread, and closes *pieces*.
    """

    def __init__(
        self,
        pieces: Generator[bytes, None, None],
        *,
        name: str,
        depth: int = AHEAD_PIECES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.gave_way = False
        self._pieces = pieces
        self._depth = depth
        self._now = now
        self._taken_at = now()
        self._made: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether pieces have been waiting for a while without any being taken."""
        return bool(self._made) and self._now() - self._taken_at > IDLE_SECONDS

    def give_way(self) -> None:
        """Drop the waiting pieces for another reader's sake, from any thread; iteration then ends, with `gave_way`."""
        self.gave_way = True  # first, so that the iterating thread does not take the empty queue for the end
        self.close()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[bytes | NotYet]:
        made = self._made
        while True:
            if not made and not self._ended:
                yield NOT_YET
                with self._changed:
                    self._changed.wait_for(lambda: len(made) >= min(_WOKEN_FOR, self._depth) or self._ended)
            try:
                piece = made.popleft()
            except IndexError:  # all were taken, or dropped a moment ago
                if self._ended:
                    break
                continue
            self._taken_at = self._now()
            yield piece
            if len(made) == self._depth // 2:
                with self._changed:
                    self._changed.notify_all()
        if self._error is not None and not self.gave_way:
            raise self._error

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        with self._changed:
            self._made.clear()
            self._pieces.close()

    def _run(self) -> None:
        error = None
        made = self._made
        try:
            for piece in self._pieces:
                if len(made) >= self._depth:
                    with self._changed:
                        self._changed.wait_for(lambda: len(made) <= self._depth // 2 or self._closed)
                if self._closed:
                    return
                made.append(piece)
                if len(made) == min(_WOKEN_FOR, self._depth):
                    with self._changed:
                        self._changed.notify_all()
        except BaseException as caught:  # passed to the caller's thread, which raises it
            error = caught
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()
