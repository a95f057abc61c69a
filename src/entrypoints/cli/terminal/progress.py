"""What shows how far a transfer is."""

from __future__ import annotations

import math
import time
from typing import Protocol

from attrs import define, field


class Tell(Protocol):
    """Tells a result, as `Output.result` does."""

    def __call__(self, line: str, **members: object) -> None: ...


class Progress:
    """Tells nobody how archives get on. *is_seen* tells whether a person looks at it."""

    is_seen = False

    def at(self, name: str, position: int, moved_bytes: int, size_bytes: int | None) -> None:
        """*name* has come to *position*, by moving so many bytes; the rest was there."""

    def done(self, name: str, size_bytes: int | None) -> None:
        """*name* is done with, whatever has become of it."""


@define
class Lines(Progress):
    """For programs: where an archive under way is, at most once in a second, told by *tell*."""

    tell: Tell
    _told_at: dict[str, float] = field(factory=dict, init=False)

    def at(self, name: str, position: int, moved_bytes: int, size_bytes: int | None) -> None:  # noqa: ARG002  # the signature is that of `Progress.at`
        now = time.monotonic()
        if position != size_bytes and now - self._told_at.get(name, -math.inf) >= 1:
            self._told_at[name] = now
            type, _, plain = name.partition("/")
            self.tell("", type=type, name=plain, status="under-way", position=position, size=size_bytes)
