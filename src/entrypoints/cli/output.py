"""
What a client command prints: results on standard output, everything else on standard error.

One reporter for people on a terminal (bars), one for logs (a line when something has happened), one for programs
(JSON lines), one for nobody. Names are escaped, so that a file's name cannot talk to the terminal.
"""

from __future__ import annotations

import json
import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def printable(text: str) -> str:
    """*text* with everything that is not plain writing escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


@define
class Output:
    """Where a command's results and messages go; for several threads."""

    as_json: bool
    quiet: bool
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def result(self, line: str, **members: object) -> None:
        """One result, as a line for people or an object for programs."""
        with self._lock:
            if self.as_json:
                print(json.dumps(members), flush=True)
            elif not self.quiet:
                print(printable(line), flush=True)

    def message(self, line: str) -> None:
        """Something a person may want to know."""
        if not self.quiet:
            self.error(line)

    def error(self, line: str) -> None:
        """Something a person must know."""
        with self._lock:
            print(f"tarkeep: {printable(line)}", file=sys.stderr, flush=True)

    def bars(self) -> Bars:
        """Progress of transfers; bars on a terminal, nothing elsewhere."""
        return Bars(wanted=not self.quiet and not self.as_json and sys.stderr.isatty())


@define
class Bars:
    """A bar for each archive under way, and one in total, with rate and time left."""

    wanted: bool
    _progress: Progress | None = field(default=None, init=False)
    _tasks: dict[str, TaskID] = field(factory=dict, init=False)
    _at: dict[str, int] = field(factory=dict, init=False)
    _total: TaskID | None = field(default=None, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def begin(self, total_bytes: int) -> None:
        """Show the bar in total."""
        if self.wanted:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                DownloadColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
                TransferSpeedColumn,
            )

            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                DownloadColumn(binary_units=True),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._total = self._progress.add_task("total", total=total_bytes)
            self._progress.start()

    def at(self, name: str, position: int, size_bytes: int) -> None:
        """*name* has come to *position*."""
        if self._progress is None or self._total is None:
            return
        with self._lock:
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(printable(name), total=size_bytes)
            self._progress.update(self._tasks[name], completed=position)
            self._progress.advance(self._total, max(0, position - self._at.get(name, 0)))
            self._at[name] = max(position, self._at.get(name, 0))

    def done(self, name: str) -> None:
        """*name* needs no bar any more."""
        if self._progress is not None and name in self._tasks:
            self._progress.remove_task(self._tasks.pop(name))

    def __enter__(self) -> Bars:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
