"""
Lines that are chained: each has the SHA-256 of the line before it, without its newline, as ``before``.

The rule: lines are only ever added. So the digest of one line fixes all lines up to it: a line that was changed,
removed or inserted is detected, since the next one does not follow it. A line torn by a crash stays, and the next one
is chained to it. That lines were cut off at the end is only seen by somebody who noted the digest of a later one.
"""

from __future__ import annotations

import hashlib
import json

from attrs import define, field

FIRST = "0" * 64
"""The digest of the line before, as the first line has it."""


def line_digest(line: bytes) -> str:
    """The SHA-256 of *line* without its newline, in lower-case hex."""
    return hashlib.sha256(line).hexdigest()


def told_in(line: bytes) -> dict[str, object] | None:
    """What *line* says; None if it is torn or damaged."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) and "before" in told else None


@define
class LineChain:
    """
    A chain while it is read from its first line on, *noted* being a digest that one of its lines should have.

    *lines* were read, *last* is the digest of the last of them; *broken* is the number of the first that does not
    follow the one before it, from 1, and *noted_line* that of the line with the digest *noted*, None without one.
    """

    noted: str | None = None
    lines: int = field(default=0, init=False)
    last: str = field(default=FIRST, init=False)
    broken: int | None = field(default=None, init=False)
    noted_line: int | None = field(default=None, init=False)

    def take(self, line: bytes, told: dict[str, object] | None) -> None:
        """Go on to *line*, which says what *told* has; None if it is torn."""
        self.lines += 1
        if told is not None and told["before"] != self.last:
            self.broken = self.broken or self.lines
        self.last = line_digest(line)
        if self.last == self.noted:
            self.noted_line = self.lines

    @property
    def holds_noted(self) -> bool:
        """Whether no digest was noted, or a line has it."""
        return self.noted is None or self.noted_line is not None
