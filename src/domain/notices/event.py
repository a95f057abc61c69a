"""What a person may want to be told of."""

from __future__ import annotations

from enum import Enum

from attrs import frozen


class Event(Enum):
    """What happened, or did not happen."""

    OVERDUE = "overdue"
    UNRESTORABLE = "unrestorable"
    DAMAGED = "damaged"
    UNSTABLE = "unstable"
    SCRUB_BEHIND = "scrub-behind"
    DRILL_DIFFERENT = "drill-different"
    DRILL_BEHIND = "drill-behind"
    BRAKED = "braked"
    PRUNE_PAUSED = "prune-paused"
    CLOCK_JUMPED = "clock-jumped"
    DISK = "disk"
    JOB_FAILED = "job-failed"
    COPY_BEHIND = "copy-behind"
    UNDELIVERED = "undelivered"


@frozen
class AlertKey:
    """What an alert is about: one alert at a time has a key. *profile* is None for the server itself."""

    event: Event
    profile: str | None = None
    subject: str = ""


@frozen
class Condition:
    """Something that is so now; *text* says what, a sentence without its full stop."""

    key: AlertKey
    text: str
