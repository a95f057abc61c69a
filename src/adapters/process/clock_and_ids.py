"""Time and fresh names from the operating system, for everything that may not ask for them itself."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from attrs import frozen


@frozen
class SystemClock:
    """The `Clock` of the machine."""

    def now(self) -> datetime:
        """Aware, in UTC."""
        return datetime.now(UTC)


@frozen
class RandomIds:
    """An `IdSource` of random UUIDs."""

    def new(self) -> str:
        """A version 4 UUID with dashes, 36 characters."""
        return str(uuid.uuid4())
