"""
How costs grow: each measure is taken at three sizes and judged by the power of the size that it grows with.

A measure is a function that takes a folder and a size and returns one cost. To add one, write a module here that
names its measures in a tuple, and add that to `MEASURES`. Whatever a measure makes in its folder is kept for the next
run, so it must leave only complete data (`made` ensures that); `apart` runs the measured code in a process
of its own, where nothing is warm and whose memory holds nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import lists, long_chains, looking, monitored, pruning, pushing
from .measure import Measure

MEASURES: Sequence[Measure] = (
    *looking.MEASURES,
    *lists.MEASURES,
    *long_chains.MEASURES,
    *pushing.MEASURES,
    *pruning.MEASURES,
    *monitored.MEASURES,
)

__all__ = ["MEASURES", "Measure"]
