"""
What came on the last days, as a strip of bars: one for each day, high for a FULL, lower for anything else, and a mark
for nothing.

The bars of a kind are one path: a page shows a hundred strips, and an element for each bar takes ten times as long.
"""

from __future__ import annotations

from attrs import frozen

from ...identity.archive_id import BackupType
from ..calendar import CalendarDay, summary

STEP, HEIGHT = 6, 16
"""How far apart the bars begin, and how high the strip is."""

_WIDTH = 4
_BARS = {"full": (0, HEIGHT), "some": (5, 11), "none": (13, 3)}
"""Of each kind of day where its bar begins, from the top, and how high it is."""


@frozen
class Strip:
    """A strip of so many *days*: the path of the bars of each kind of day that occurs, by its name, and its *words*."""

    days: int
    paths: tuple[tuple[str, str], ...]
    words: str


def strip_of(days: tuple[CalendarDay, ...]) -> Strip:
    """The strip of *days*, which follow each other."""
    bars: dict[str, list[str]] = {kind: [] for kind in _BARS}
    for number, day in enumerate(days):
        kind = _kind(day)
        top, height = _BARS[kind]
        bars[kind].append(f"M{number * STEP} {top}h{_WIDTH}v{height}h-{_WIDTH}z")
    paths = tuple((kind, "".join(drawn)) for kind, drawn in bars.items() if drawn)
    return Strip(len(days), paths, summary(days))


def _kind(day: CalendarDay) -> str:
    if not day.archives:
        return "none"
    return "full" if day.archives[0][0] is BackupType.FULL else "some"
