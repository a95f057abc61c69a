"""
The light of a profile or of the server: whether everything is as it should be, and if not, why.

The rule: a light is as bad as the worst of its concerns, and every light but green has one that says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from attrs import frozen

from ..ranked import Ranked


class Light(Ranked):
    """From best to worst."""

    GREEN = "green"
    GREY = "grey"  # nothing is known yet
    YELLOW = "yellow"  # look at it when there is time
    RED = "red"  # look at it now


class ConcernKind(Enum):
    """What a concern is about."""

    UNRESTORABLE = "unrestorable"
    DAMAGED = "damaged"
    OVERDUE = "overdue"
    BRAKED = "braked"
    PRUNE_PAUSED = "prune-paused"
    SCRUB_BEHIND = "scrub-behind"
    QUOTA = "quota"
    UNKNOWN = "unknown"
    CLOCK = "clock"
    JOB_FAILED = "job-failed"
    DISK = "disk"
    DRILL_DIFFERENT = "drill-different"
    DRILL_BEHIND = "drill-behind"
    COPY_BEHIND = "copy-behind"
    UNDELIVERED = "undelivered"
    NOTICES_WAIT = "notices-wait"
    NO_CHANNEL = "no-channel"
    FULL_SOON = "full-soon"


@frozen
class Concern:
    """
    Something that is not as it should be; *text* says what, a sentence without its full stop.

    *subject* tells concerns of one kind apart, where there may be several at a time.
    """

    kind: ConcernKind
    light: Light
    text: str
    subject: str = ""


def light_of(concerns: Iterable[Concern]) -> Light:
    """The worst light of *concerns*; green without any."""
    return max((concern.light for concern in concerns), key=lambda light: light.rank, default=Light.GREEN)


def worst_first(concerns: Iterable[Concern]) -> tuple[Concern, ...]:
    """*concerns* in the order in which a person should read them; those of one light stay in theirs."""
    return tuple(sorted(concerns, key=lambda concern: -concern.light.rank))
