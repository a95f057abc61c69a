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
    passed: timedelta = timedelta()

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> timedelta:
        return self.passed

    def wait(self, span: timedelta) -> None:
        self.advance(span)

    def advance(self, duration: timedelta) -> None:
        """Let *duration* pass."""
        self.moment += duration
        self.passed += duration

    def jump(self, distance: timedelta) -> None:
        """Set the clock, without any time passing."""
        self.moment += distance


@define
class SequenceIds:
    """An `IdSource` that counts: ``id-1``, ``id-2`` ..."""

    _numbers: Iterator[int] = field(factory=lambda: itertools.count(1), init=False)

    def new(self) -> str:
        return f"id-{next(self._numbers)}"
