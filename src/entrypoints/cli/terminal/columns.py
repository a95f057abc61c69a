"""
Lines of a table with aligned columns that never run together, however long a name is.

A table may be larger than memory: rows are read ahead in batches, each batch sets the column widths, and later batches
can only widen them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from ....domain.text.paths import printable

Row = TypeVar("Row")
_TOGETHER = 1000
_BETWEEN = "  "


def in_columns(
    rows: Iterable[Row], cells: Callable[[Row], Sequence[str]], right: Collection[int] = ()
) -> Iterator[tuple[Row, str]]:
    """
    Yield each of *rows* with its line, made of its *cells*; all rows have the same number of cells.

    Columns whose numbers are in *right* are right-aligned. Unprintable characters are escaped.
    """
    waiting = iter(rows)
    widths: list[int] = []
    while some := list(islice(waiting, _TOGETHER)):
        table = [[printable(cell) for cell in cells(row)] for row in some]
        here = [max(map(_width, column)) for column in zip(*table, strict=True)]
        widths = [max(pair) for pair in zip(widths, here, strict=True)] if widths else here
        for row, line in zip(some, table, strict=True):
            yield row, _BETWEEN.join(_line(line, widths, right)).rstrip()


def _line(cells: Sequence[str], widths: Sequence[int], right: Collection[int]) -> Iterator[str]:
    for number, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        room = " " * (width - _width(cell))
        yield room + cell if number in right else cell + room


def _width(text: str) -> int:
    """The width of *text* in columns of a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
