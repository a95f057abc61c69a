"""
Which profile is drilled next, which of its points, and how. Pure.

A profile that was never drilled comes first, then the one whose last drill is longest ago. Drills of a profile take
turns: both ways of restoring, each for the newest point and for any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import field, frozen

from ..identity.archive_id import ArchiveId
from ..profiles.rules import Rules
from ..profiles.span import Span, Unit
from .drill import Drill, DrillOutcome, DrillWay


@frozen
class DrillEvery:
    """How often a point of each profile is restored."""

    span: Span = field(factory=lambda: Span(30, Unit.DAY))

    def __attrs_post_init__(self) -> None:
        if self.span.count == 0:
            raise ValueError(f"{self.span} is no time between two drills; give at least 1h")

    def behind_before(self, now: datetime) -> datetime:
        """A profile without a drill since then is behind."""
        return self.span.before(now)

    def due_before(self, now: datetime) -> datetime:
        """A profile whose last drill was before that is due: half the time, so that a runner may fail for a while."""
        return now - (now - self.span.before(now)) / 2


@frozen
class DrillLimits:
    """How often a profile is drilled, how much of a tree is restored at most, and how long that may take."""

    every: DrillEvery = field(factory=DrillEvery)
    most_bytes: int = 20 << 30
    minutes: int = 60

    def every_of(self, profile: str, rules: Rules) -> DrillEvery:
        """How often *profile* is drilled."""
        own = rules.of(profile).drill_every
        return self.every if own is None else DrillEvery(own)


def next_profile(profiles: Sequence[str], last: Mapping[str, Drill], due_before: Mapping[str, datetime]) -> str | None:
    """
    The one of *profiles* that is drilled next; None if none is due.

    *last* has the last drill of a profile that ended, *due_before* when it must have been for the profile to be due.
    One that did not end well is due again at once, behind all others that wait longer.
    """

    def is_due(profile: str) -> bool:
        drill = last.get(profile)
        return drill is None or drill.outcome is not DrillOutcome.EQUAL or drill.started_at < due_before[profile]

    def place(profile: str) -> tuple[bool, float, str]:
        drill = last.get(profile)
        return drill is not None, 0.0 if drill is None else drill.started_at.timestamp(), profile

    return min(filter(is_due, profiles), key=place, default=None)


def chosen_point(points: Sequence[ArchiveId], turn: int, seed: str) -> ArchiveId:
    """One of *points*, which are in order of time and not empty: alternately the newest, and any by *seed*."""
    if is_newest_turn(turn):
        return points[-1]
    return points[drawn(seed, len(points))]


def is_newest_turn(turn: int) -> bool:
    """Whether it is the turn of the newest point."""
    return turn // len(DrillWay) % 2 == 0


def chosen_way(turn: int, *, is_sound: bool, is_part: bool) -> DrillWay:
    """How to restore: by turns; what tar alone would not restore right, or a part, is put together by the server."""
    return DrillWay.PLAN if is_sound and not is_part and turn % len(DrillWay) == 0 else DrillWay.MERGED


def drawn(seed: str, count: int) -> int:
    """A number below *count* that *seed* decides."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") % count


def chosen_folders(sizes: Mapping[bytes, int], most_bytes: int, seed: str) -> tuple[bytes, ...]:
    """
    Folders that hold *most_bytes* at most, none of them within another, in an order that *seed* decides.

    *sizes* has the bytes of each folder with all below it. The smallest one that has any is taken if all are too large.
    """
    left, taken = most_bytes, list[bytes]()

    def order(folder: bytes) -> bytes:
        return hashlib.sha256(seed.encode() + folder).digest()

    for folder in sorted(filter(None, sizes), key=order):
        size = sizes[folder]
        if 0 < size <= left and not any(_overlap(folder, other) for other in taken):
            taken.append(folder)
            left -= size
            if len(taken) == MOST_FOLDERS:
                break
    if not taken:
        taken = [min((folder for folder, size in sizes.items() if folder and size), key=sizes.__getitem__, default=b"")]
    return tuple(sorted(filter(None, taken)))


MOST_FOLDERS = 20


def _overlap(one: bytes, other: bytes) -> bool:
    return one == other or one.startswith(other + b"/") or other.startswith(one + b"/")
