"""
The output of client commands: results on standard output, everything else on standard error.

It suits people at a terminal (bars), logs (a line per event), programs (JSON lines), or is quiet. Names are escaped,
so that a file name cannot send control sequences to the terminal.
"""

from __future__ import annotations

import json
import sys
import threading
from contextlib import AbstractContextManager, nullcontext

from attrs import define, field

from ....domain.text.paths import printable, whole
from .progress import Lines, Progress


@define
class Output:
    """Prints the results and messages of a command; safe for several threads."""

    as_json: bool
    quiet: bool
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def result(self, line: str, **members: object) -> None:
        """Print one result, as a line for people or as a JSON object of *members* for programs."""
        with self._lock:
            if self.as_json:
                print(json.dumps(_sayable(members)), flush=True)
            elif not self.quiet:
                print(printable(line), flush=True)

    def message(self, line: str) -> None:
        """Print something that a person may want to know, unless quiet."""
        if not self.quiet:
            self.error(line)

    def step(self, line: str) -> None:
        """Print what is being done, for a person who waits at a terminal."""
        if sys.stderr.isatty():
            self.message(line)

    def error(self, line: str) -> None:
        """Print something that a person must know."""
        with self._lock:
            print(f"tarkeep: {printable(line)}", file=sys.stderr, flush=True)

    def bars(self, total_bytes: int | None) -> AbstractContextManager[Progress]:
        """
        Progress of transfers of *total_bytes* in total, None if unknown.

        Bars at a terminal, JSON objects for programs, otherwise nothing.
        """
        if self.as_json:
            return nullcontext(Lines(self.result))
        if not self.quiet and sys.stderr.isatty():
            from .bars import Bars  # rich takes longer to import than most commands take

            return Bars(total_bytes)
        return nullcontext(Progress())


def _sayable(value: object) -> object:
    """*value* with the non-UTF-8 bytes of names escaped: JSON cannot carry lone surrogates."""
    match value:
        case str():
            return whole(value)
        case dict():
            return {name: _sayable(one) for name, one in value.items()}
        case list() | tuple():
            return [_sayable(one) for one in value]
    return value
