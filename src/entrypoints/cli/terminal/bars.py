"""
Progress for people at a terminal: a bar for each archive under way and one for the total, with rate and time left.

Each redraw asks the terminal for its width, since windows are resized. The name, the percentage and the rate are
always shown; the time left, the sizes and the bar itself appear if there is room. Names are shortened in the middle:
their ends differ from night to night.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from types import TracebackType

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Column, Table
from rich.text import Text

from ....domain.text.paths import printable
from ....domain.text.sizes import human_size
from .progress import Progress

_SHORTEST_NAME, _FAIR_NAME = 8, 14
_ARCHIVE = ".tar.gz"


class _Share(ProgressColumn):
    """The percentage done; empty if the total is unknown."""

    def render(self, task: Task) -> Text:
        if not task.total:
            return Text("")
        return Text(f"{min(int(100 * task.completed / task.total), 100)}%", no_wrap=True)


class _Sizes(ProgressColumn):
    def render(self, task: Task) -> Text:
        here = human_size(int(task.completed))
        return Text(here if task.total is None else f"{here} of {human_size(int(task.total))}", no_wrap=True)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{human_size(int(task.speed))}/s", no_wrap=True)


def _column(width: int) -> Column:
    return Column(no_wrap=True, width=width, justify="right")


_BAR = BarColumn(bar_width=20, table_column=_column(20))
_SHARE = _Share(_column(4))
_SIZES = _Sizes(_column(22))
_RATE = _Rate(_column(11))
_LEFT = TimeRemainingColumn(table_column=_column(8))
WIDTHS = {_BAR: 20, _SHARE: 4, _SIZES: 22, _RATE: 11, _LEFT: 8}
_LAYOUTS = ((_BAR, _SHARE, _SIZES, _RATE, _LEFT), (_BAR, _SHARE, _RATE, _LEFT), (_SHARE, _RATE, _LEFT), (_SHARE, _RATE))


def layout(width: int) -> tuple[tuple[ProgressColumn, ...], int]:
    """The columns after the name in a line of *width*, and the width left for the name."""
    for columns in _LAYOUTS:
        left = width - sum(WIDTHS[column] + 1 for column in columns)
        if left >= _FAIR_NAME:
            return columns, left
    return columns, max(left, _SHORTEST_NAME)


def shortened(name: str, width: int) -> str:
    """*name* in at most *width* columns of a terminal; its end keeps more room, since it tells names apart."""
    if cell_len(name) <= width:
        return name
    name = name.removesuffix(_ARCHIVE)
    if cell_len(name) <= width:
        return name
    begins = chop_cells(name, (width - 1) // 3)[0]
    rest = width - 1 - cell_len(begins)
    end = ""
    for char in reversed(name):
        if cell_len(char + end) > rest:
            break
        end = char + end
    return f"{begins}…{end}"


class _Drawn(RichProgress):
    """The table that rich draws, with the columns that fit."""

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        shown = [task for task in tasks if task.visible]
        if not shown:  # rich may ask before it has a console
            return Table.grid()
        columns, room = layout(self.console.width)
        names = [shortened(task.description, room) for task in shown]
        widest = max(map(cell_len, names), default=0)
        table = Table.grid(
            Column(no_wrap=True, width=widest), *(one.get_table_column().copy() for one in columns), padding=(0, 1)
        )
        for name, task in zip(names, shown, strict=True):
            table.add_row(Text(name), *(column(task) for column in columns))
        return table


class Bars(Progress):
    """
    Bars on standard error.

    *total_bytes* is None if unknown: then the total is the sum of the archives under way, if all their sizes are known.
    """

    is_seen = True

    def __init__(self, total_bytes: int | None) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[str, Task] = {}
        self._at: dict[str, int] = {}
        self._bars = _Drawn(
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # else redirected results would go to the terminal
        )
        self._total_bytes = total_bytes
        self._total = self._added("total", total_bytes)

    def at(self, name: str, position: int, moved_bytes: int, size_bytes: int | None) -> None:
        with self._lock:
            was_there = position - moved_bytes - self._at.get(name, 0)
            if name not in self._tasks:
                self._tasks[name] = self._added(printable(name), size_bytes)
            task = self._tasks[name]
            if was_there:  # these bytes did not move now, so they must not count for the rate
                self._bars.reset(task.id, total=size_bytes, completed=position - moved_bytes)
                self._expect(-was_there)
            task.total = size_bytes  # not by update(), which resets the rate
            self._advance(task, moved_bytes)
            self._at[name] = position
            if self._total_bytes is None:
                self._total.total = self._foreseen()
            self._advance(self._total, moved_bytes)

    def done(self, name: str, size_bytes: int | None) -> None:
        with self._lock:
            if name in self._tasks:
                self._bars.remove_task(self._tasks.pop(name).id)
            if size_bytes is not None:
                self._expect(self._at.get(name, 0) - size_bytes)

    def _added(self, label: str, total_bytes: int | None) -> Task:
        id: TaskID = self._bars.add_task(label, total=total_bytes)
        return next(task for task in self._bars.tasks if task.id == id)

    def _advance(self, task: Task, moved_bytes: int) -> None:
        self._bars.advance(task.id, moved_bytes)

    def _foreseen(self) -> int | None:
        """The total size of the archives under way; None if one of them is unknown."""
        totals = [task.total for task in self._tasks.values()]
        return None if None in totals else int(sum(filter(None, totals)))

    def _expect(self, more_bytes: int) -> None:
        if self._total_bytes is not None:
            self._total_bytes += more_bytes
            self._total.total = self._total_bytes

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
