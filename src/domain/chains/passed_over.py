"""
Points that a choice by time passed over, although they are nearer in some sense, and why.

A point is chosen by the best known time of its dump. Where that is only within a day or no earlier than something, the
dump may have been made before the time that was asked for; where it lies ahead of the receipt, a clock was wrong, or a
name, so that nobody knows when it was. Whoever asked is told of both, and can have these points by their names. The
latest point is the last one in the order of the profile, so nothing was passed over for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from attrs import frozen

from ..archives.archive import BackupArchive, earliest
from ..identity.archive_id import ArchiveId
from ..text.times import rfc3339
from .kept_links import Places

MOST_TOLD = 10
"""Points that were passed over of which anybody is told."""

_WITHIN = timedelta(days=2)  # a time that is estimated is at most a day, with a change of clocks, after the earliest
_MOST_LOOKED_AT = 50


@frozen
class PassedOver:
    """The point of *archive*, and the *reason*, a sentence without an end."""

    archive: ArchiveId
    reason: str

    @property
    def sentence(self) -> str:
        """Both."""
        return f"{self.archive.label} was passed over: {self.reason}"


def passed_over(places: Places, profile: str, at: datetime | None, zone: tzinfo = UTC) -> tuple[PassedOver, ...]:
    """
    What was passed over where a point of *profile* was chosen by the time *at*, or (None) as the latest: the last ones
    first. *zone* is that of the times in names.

    Cost: a look-up for each point behind the one that was chosen, of few.
    """
    if at is None:
        return ()
    found = []
    end = min(at, datetime.max.replace(tzinfo=UTC) - _WITHIN) + _WITHIN
    for archive in _back(places, profile, until=end):
        if archive.placed_at <= at:
            break
        if (first := earliest(archive, zone)) <= at:
            reason = _ahead(archive) if archive.is_dated_ahead else _uncertain(archive, first)
            found.append(PassedOver(archive.id, reason))
    return tuple(found[:MOST_TOLD])


def _back(places: Places, profile: str, until: datetime | None = None) -> Iterator[BackupArchive]:
    """The archives of *profile*, the last first; of several of one time the last, and only so many."""
    place = places.newest_place(profile, until=until)
    for _ in range(_MOST_LOOKED_AT):
        if place is None:
            return
        yield place.archive
        place = places.newest_place(profile, before=place.archive.placed_at)


def _ahead(archive: BackupArchive) -> str:
    return (
        f"by what its sender or its name says it was taken at {rfc3339(archive.taken_at)}, which was in the future "
        f"when it was received, at {rfc3339(archive.received_at)}, so nobody knows when it was; it can be asked for by "
        "its name"
    )


def _uncertain(archive: BackupArchive, first: datetime) -> str:
    return (
        f"nobody knows more of its time than that it is between {rfc3339(first)} and {rfc3339(archive.taken_at)}, so "
        "it may be of the time that was asked for; it can be asked for by its name"
    )
