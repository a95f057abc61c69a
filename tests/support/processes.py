"""What this process has going on, as the system counts it."""

from __future__ import annotations

import os
from pathlib import Path


def children() -> list[str]:
    """The programs that this process has started and that still run, or were not waited for when they ended."""
    return [
        child
        for thread in Path("/proc/self/task").iterdir()
        for child in (thread / "children").read_text(encoding="ascii").split()
    ]


def open_files() -> int:
    """How many files it has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # names alone
