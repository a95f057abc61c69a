"""How far a transfer is, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Told of every piece: where in the archive the work is now, and how many bytes were transferred to come there."""
