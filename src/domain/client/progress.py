"""The progress of a transfer, for display."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called for every piece: the position in the archive, and the number of bytes transferred to reach it."""
