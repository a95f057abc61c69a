"""
When archives may be read again, and how fast.

The rule: people come first. While anybody sends or restores, a scrub reads at a quarter of its rate, or at 25 MB/s if
it has none. While anybody waits for an answer it stands still; but a tenth of the time is its own, or a server that
always has somebody to answer would never read anything. While people ask now and then, it leaves a processor free for
the next of them: whoever comes must not wait until a reader has had its turn.
"""

from __future__ import annotations

import re
from datetime import datetime, time, tzinfo

from attrs import field, frozen

QUIET_BYTES_PER_SECOND = 25_000_000
"""The rate while people are served, if none is stated."""

_SHARE = 4
_OTHERS_SHARE = 9
_LONGEST_WAIT = 0.1
_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


@frozen
class Window:
    """The part of each day from *start* to *end*, which may lie in the next day, by the clock of *zone*."""

    start: time
    end: time = field()
    zone: tzinfo

    @end.validator
    def _check(self, _attribute: object, end: time) -> None:
        if end == self.start:
            raise ValueError(f"a window from {self.start:%H:%M} to {end:%H:%M} has no length")

    @classmethod
    def parse(cls, text: str, zone: tzinfo) -> Window:
        """
        The window that *text* states, such as ``22:00-06:00``.

        Raises:
            ValueError: it states none.
        """
        match = _WINDOW.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text[:40]!r} is not a part of the day such as 22:00-06:00")
        hour, minute, end_hour, end_minute = map(int, match.groups())
        return cls(time(hour, minute), time(end_hour, end_minute), zone)

    def contains(self, moment: datetime) -> bool:
        """Whether *moment*, which is aware, lies in it; its end does not."""
        at = moment.astimezone(self.zone).time()
        if self.start < self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end


def bytes_per_second(rate: int, *, is_busy: bool) -> int:
    """How fast to read if *rate* is allowed, and whether people are served: *is_busy*. 0 means any rate in both."""
    if not is_busy:
        return rate
    return max(1, rate // _SHARE) if rate else QUIET_BYTES_PER_SECOND


def free_at(free: float, now: float, amount: float, rate: float) -> float:
    """
    When the next block may be read, in seconds of a monotonic clock, if *now* one was that took such an *amount*: of
    bytes, or of seconds of a processor.

    Blocks before it keep the reader waiting until *free*. Time in which nothing was read is not made up for. A *rate*
    of 0 per second allows any.
    """
    return max(free, now) + amount / rate if rate else now


def turn_at(free: float, begun: float, worked: float, processors: int) -> float:
    """
    When a reader may go on that *worked* so many seconds since it had *begun*, while people ask now and then; in
    seconds of a monotonic clock. *free* is what the reader before it was told.

    All readers together use one of the *processors* less than there are, and half of the only one.
    """
    return free_at(free, begun, worked, max(processors - 1, 0.5))


def gives_way(worked: float) -> float:
    """How many seconds a reader stands still at most for those who wait for an answer, after it *worked* so many."""
    return min(_OTHERS_SHARE * worked, _LONGEST_WAIT)
