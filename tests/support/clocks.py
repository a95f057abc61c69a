"""Time and ids set by a test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta

from attrs import define, field

from tests.support.archives import NOON


@define
class FixedClock:
    """A `Clock` that stands still until it is advanced."""

    moment: datetime = NOON

    def now(self) -> datetime:
        return self.moment

    def advance(self, duration: timedelta) -> None:
        """Let *duration* pass."""
        self.moment += duration


@define
class SequenceIds:
    """An `IdSource` that counts: ``id-1``, ``id-2`` ..."""

    _numbers: Iterator[int] = field(factory=lambda: itertools.count(1), init=False)

    def new(self) -> str:
        return f"id-{next(self._numbers)}"
