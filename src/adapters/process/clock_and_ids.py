"""Time and fresh ids from the operating system, for code that may not get them itself."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from attrs import frozen


@frozen
class SystemClock:
    """The `Clock` of the machine."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return datetime.now(UTC)


@frozen
class RandomIds:
    """An `IdSource` of random UUIDs."""

    def new(self) -> str:
        """A version 4 UUID with dashes, 36 characters."""
        return str(uuid.uuid4())
