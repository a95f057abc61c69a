"""When something comes again: every so often, as a `Span`, or at the times of a cron line."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Schedule(Protocol):
    """Times without end."""

    def after(self, moment: datetime) -> datetime:
        """The first time after *moment*, both aware; the latest possible one if there is none."""
