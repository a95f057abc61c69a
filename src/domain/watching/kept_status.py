"""What was worked out about a profile, and is kept until something changes."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from .light import Concern, Light, light_of


@frozen
class StatusFilter:
    """
    Which statuses are asked for: of *profiles*, or of all if that is None, but not of those that are left out by
    *without*; only of profiles that have *text* in their name.

    A light that was worked out before *known_since* counts as grey; None is no such time.
    """

    profiles: frozenset[str] | None = None
    without: frozenset[str] = frozenset()
    text: str = ""
    known_since: datetime | None = None


@frozen
class KeptStatus:
    """
    The status of *profile* as it was *worked_out_at*, from its archives in that *version* and from what has *stamp*.

    *look_at*: when it may be another one though nothing changed. *received_at* is the receipt of its newest archive,
    *restorable_at* of the newest that restores, and *chain_archives* is the number of archives that restore it. It has
    so many *archives* of *size_bytes* together.
    """

    profile: str
    version: int
    stamp: str
    worked_out_at: datetime
    look_at: datetime
    received_at: datetime
    restorable_at: datetime | None
    archives: int
    size_bytes: int
    chain_archives: int
    is_overdue: bool
    is_braked: bool
    concerns: tuple[Concern, ...] = ()

    @property
    def light(self) -> Light:
        return light_of(self.concerns)
