"""
Adding lines to a file that is never changed otherwise; the audit log and the evidence are made of such files.

The rule: whoever adds a line holds the lock of the file, so that the line is chained to the one that really precedes
it. A line that a crash has torn stays: it is ended, and the next line is chained to it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

_TAIL_BYTES = 1 << 16


@contextmanager
def locked(log: int, *, for_reading: bool = False) -> Iterator[None]:
    """Hold the lock of the open file *log*; several may, *for_reading*."""
    fcntl.flock(log, fcntl.LOCK_SH if for_reading else fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(log, fcntl.LOCK_UN)


def last_line(log: int) -> bytes:
    """The last line of *log*, whole or torn, without its line end; empty without one."""
    size, tail_bytes = os.fstat(log).st_size, _TAIL_BYTES
    while True:
        start = max(0, size - tail_bytes)
        _, newline, line = os.pread(log, size - start, start).removesuffix(b"\n").rpartition(b"\n")
        if newline or start == 0:
            return line
        tail_bytes *= 16


def end_torn_line(log: int, size: int) -> int:
    """End the last line of *log*, which has *size* bytes, if it is torn; returns the size then."""
    if size == 0 or os.pread(log, 1, size - 1) == b"\n":
        return size
    os.write(log, b"\n")
    return size + 1


def write_line(log: int, line: bytes) -> None:
    """Add *line*, which has no newline, with one; *log* is open for appending."""
    left = line + b"\n"
    while left:
        left = left[os.write(log, left) :]
