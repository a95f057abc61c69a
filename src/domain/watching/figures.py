"""What is measured of profiles, and of all of them together. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen


@frozen
class ProfileFigures:
    """
    What the catalog has of a profile.

    *version* changes whenever an archive of the profile is added, removed or changed (see `LinkState`). *received_at*
    is the newest receipt, *restorable_at* the newest one of an archive that restores, which needs *chain_archives*;
    both are None if none is known to restore. *known_right_at*: every archive that is not damaged was found right then
    or later, or received then or later; None if all are damaged. *drilled_at* is when the last restore drill ended that
    found everything equal, *restore_seconds* how long it took to restore the whole point; None if it restored a part.
    """

    profile: str
    version: int
    archives: int
    size_bytes: int
    damaged: int
    received_at: datetime
    restorable_at: datetime | None = None
    chain_archives: int | None = None
    known_right_at: datetime | None = None
    drilled_at: datetime | None = None
    restore_seconds: float | None = None


@frozen
class SummedFigures:
    """The sums of profiles, and the oldest of their times."""

    profiles: int
    archives: int
    size_bytes: int
    damaged: int
    unrestorable: int
    known_right_at: datetime | None


def summed(figures: Sequence[ProfileFigures]) -> SummedFigures:
    """The sums of *figures*; *unrestorable* counts profiles of which no archive is known to restore."""
    return SummedFigures(
        profiles=len(figures),
        archives=sum(one.archives for one in figures),
        size_bytes=sum(one.size_bytes for one in figures),
        damaged=sum(one.damaged for one in figures),
        unrestorable=sum(one.restorable_at is None for one in figures),
        known_right_at=min((one.known_right_at for one in figures if one.known_right_at is not None), default=None),
    )
