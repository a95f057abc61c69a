"""When something comes again: every so often, as a `Span`, or at the times of a cron line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from attrs import frozen


class Schedule(Protocol):
    """Times without end."""

    def after(self, moment: datetime) -> datetime:
        """The first time after *moment*, both aware; the latest possible one if there is none."""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@frozen
class EverySo:
    """Times that are multiples of *length* since the epoch."""

    length: timedelta

    def after(self, moment: datetime) -> datetime:
        """The first time after *moment*, which is aware, in UTC."""
        return _EPOCH + ((moment - _EPOCH) // self.length + 1) * self.length
