"""
What a client command prints: results on standard output, everything else on standard error.

One reporter for people on a terminal (bars), one for logs (a line when something has happened), one for programs
(JSON lines), one for nobody. Names are escaped, so that a file's name cannot talk to the terminal.
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
    """Where a command's results and messages go; for several threads."""

    as_json: bool
    quiet: bool
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def result(self, line: str, **members: object) -> None:
        """One result, as a line for people or an object for programs."""
        with self._lock:
            if self.as_json:
                print(json.dumps(_sayable(members)), flush=True)
            elif not self.quiet:
                print(printable(line), flush=True)

    def message(self, line: str) -> None:
        """Something a person may want to know."""
        if not self.quiet:
            self.error(line)

    def step(self, line: str) -> None:
        """What is being done, for somebody who waits at a terminal."""
        if sys.stderr.isatty():
            self.message(line)

    def error(self, line: str) -> None:
        """Something a person must know."""
        with self._lock:
            print(f"tarkeep: {printable(line)}", file=sys.stderr, flush=True)

    def bars(self, total_bytes: int | None) -> AbstractContextManager[Progress]:
        """
        Progress of transfers of *total_bytes* altogether, None where nobody knows.

        Bars on a terminal; objects for programs; nothing elsewhere.
        """
        if self.as_json:
            return nullcontext(Lines(self.result))
        if not self.quiet and sys.stderr.isatty():
            from .bars import Bars  # rich takes longer to import than most commands take

            return Bars(total_bytes)
        return nullcontext(Progress())


def _sayable(value: object) -> object:
    """*value* with bytes of names escaped that are not UTF-8: JSON has no half characters."""
    match value:
        case str():
            return whole(value)
        case dict():
            return {name: _sayable(one) for name, one in value.items()}
        case list() | tuple():
            return [_sayable(one) for one in value]
    return value
