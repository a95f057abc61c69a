"""
Progress for people at a terminal: a bar for each archive under way and one in total, with rate and time left.

How much of it there is room for is asked each time that it is drawn, since windows change their width. What is always
there is the name, how much is done and how fast it goes; time left, sizes and the bar itself come with the room for
them. Names are shortened in the middle: their ends differ from night to night.
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
    """How much is done, of 100; nothing where nobody knows of how much."""

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
    """Which columns a line of *width* has behind the name, and how much is left for the name."""
    for columns in _LAYOUTS:
        left = width - sum(WIDTHS[column] + 1 for column in columns)
        if left >= _FAIR_NAME:
            return columns, left
    return columns, max(left, _SHORTEST_NAME)


def shortened(name: str, width: int) -> str:
    """*name* in at most *width* columns of a terminal; its end says more than its beginning."""
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
    """What rich draws, in the columns for which there is room."""

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        shown = [task for task in tasks if task.visible]
        if not shown:  # as when rich asks before it has a console
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

    *total_bytes* is None where nobody knows: then the total is that of what is under way, once all of it is known.
    """

    is_seen = True

    def __init__(self, total_bytes: int | None) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[str, Task] = {}
        self._at: dict[str, int] = {}
        self._bars = _Drawn(
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # else results would go where the bars are, and not into their file
        )
        self._total_bytes = total_bytes
        self._total = self._added("total", total_bytes)

    def at(self, name: str, position: int, moved_bytes: int, size_bytes: int | None) -> None:
        with self._lock:
            was_there = position - moved_bytes - self._at.get(name, 0)
            if name not in self._tasks:
                self._tasks[name] = self._added(printable(name), size_bytes)
            task = self._tasks[name]
            if was_there:  # no bytes that moved now: they must not count for the rate
                self._bars.reset(task.id, total=size_bytes, completed=position - moved_bytes)
                self._expect(-was_there)
            task.total = size_bytes  # not by update(), which forgets how fast it goes
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
        """What all that is under way has together, where that is known."""
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
