"""Time and fresh ids from the operating system, for code that may not get them itself."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta

from attrs import frozen


@frozen
class SystemClock:
    """The `Clock` of the machine."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> timedelta:
        """The time since the machine was started, with the time that it slept."""
        return timedelta(microseconds=time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000)

    def wait(self, span: timedelta) -> None:
        """Sleep for *span*."""
        time.sleep(span.total_seconds())


@frozen
class RandomIds:
    """An `IdSource` of random UUIDs."""

    def new(self) -> str:
        """A version 4 UUID with dashes, 36 characters."""
        return str(uuid.uuid4())
