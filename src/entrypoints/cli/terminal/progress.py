"""Progress of transfers, as a command reports it."""

from __future__ import annotations

import math
import time
from typing import Protocol

from attrs import define, field


class Tell(Protocol):
    """Reports a result, as `Output.result` does."""

    def __call__(self, line: str, **members: object) -> None: ...


class Progress:
    """Progress that is not reported. *is_seen* is true if a person sees it."""

    is_seen = False

    def at(self, name: str, position: int, moved_bytes: int, size_bytes: int | None) -> None:
        """*name* has reached *position*, after *moved_bytes* more were moved; the rest was already there."""

    def done(self, name: str, size_bytes: int | None) -> None:
        """*name* has ended, whether it succeeded or failed."""


@define
class Lines(Progress):
    """Progress for programs: *tell* reports the position of each archive under way, at most once a second."""

    tell: Tell
    _told_at: dict[str, float] = field(factory=dict, init=False)

    def at(self, name: str, position: int, moved_bytes: int, size_bytes: int | None) -> None:  # noqa: ARG002  # the signature is that of `Progress.at`
        now = time.monotonic()
        if position != size_bytes and now - self._told_at.get(name, -math.inf) >= 1:
            self._told_at[name] = now
            type, _, plain = name.partition("/")
            self.tell("", type=type, name=plain, status="under-way", position=position, size=size_bytes)
