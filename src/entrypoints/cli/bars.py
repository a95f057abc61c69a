"""Progress for people at a terminal: a bar for each archive under way and one in total, with rate and time left."""

from __future__ import annotations

import sys
import threading
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Column
from rich.text import Text

from ...domain.path_text import printable
from ...domain.sizes import human_size
from .output import Progress


class _Sizes(ProgressColumn):
    def render(self, task: Task) -> Text:
        here = human_size(int(task.completed))
        return Text(here if task.total is None else f"{here} of {human_size(int(task.total))}", no_wrap=True)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{human_size(int(task.speed))}/s", no_wrap=True)


class Bars(Progress):
    """Bars on standard error. *total_bytes* is None where nobody knows."""

    is_seen = True

    def __init__(self, total_bytes: int | None) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskID] = {}
        self._at: dict[str, int] = {}
        self._bars = RichProgress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=20),
            _Sizes(),
            _Rate(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # else results would go where the bars are, and not into their file
        )
        self._total_bytes = total_bytes
        self._total = self._bars.add_task("total", total=total_bytes)

    def at(self, name: str, position: int, moved_bytes: int, size_bytes: int | None) -> None:
        with self._lock:
            was_there = position - moved_bytes - self._at.get(name, 0)
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(printable(name), total=size_bytes)
            if was_there:  # no bytes that moved now: they must not count for the rate
                self._bars.reset(self._tasks[name], total=size_bytes, completed=position - moved_bytes)
                self._expect(-was_there)
            self._bars.advance(self._tasks[name], moved_bytes)
            self._bars.advance(self._total, moved_bytes)
            self._at[name] = position

    def done(self, name: str, size_bytes: int | None) -> None:
        with self._lock:
            if name in self._tasks:
                self._bars.remove_task(self._tasks.pop(name))
            if size_bytes is not None:
                self._expect(self._at.get(name, 0) - size_bytes)

    def _expect(self, more_bytes: int) -> None:
        if self._total_bytes is not None:
            self._total_bytes += more_bytes
            self._bars.update(self._total, total=self._total_bytes)

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
