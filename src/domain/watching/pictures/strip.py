"""
What came on the last days, as a strip of bars: one for each day, high for a FULL, lower for anything else, and a mark
for nothing.

The bars of a kind are one path: a page shows a hundred strips, and an element for each bar takes ten times as long.
"""

from __future__ import annotations

from functools import lru_cache

from attrs import frozen

from ..calendar import came_on

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


@lru_cache(1000)
def strip_of(days: tuple[bool | None, ...]) -> Strip:
    """
    The strip of *days*, which follow each other: whether a FULL came on each, None where nothing did.

    Many profiles have the same: those that get an archive every day.
    """
    bars: dict[str, list[str]] = {kind: [] for kind in _BARS}
    for number, is_full in enumerate(days):
        kind = "none" if is_full is None else "full" if is_full else "some"
        top, height = _BARS[kind]
        bars[kind].append(f"M{number * STEP} {top}h{_WIDTH}v{height}h-{_WIDTH}z")
    paths = tuple((kind, "".join(drawn)) for kind, drawn in bars.items() if drawn)
    return Strip(len(days), paths, came_on(len(days) - days.count(None), len(days)))
