"""
Points that a choice by time passed over, although they may be nearer to that time, and why.

A point is chosen by the best known time of its dump. If that time is only a day or a lower bound, the dump may have
been made before the requested time; if it lies ahead of the receipt, a clock was wrong, or a name, so the true time is
unknown, and it is chosen only if all points are like that. The client is told of both, and can request these points by
name.
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
"""How many points that were passed over are reported."""

_WITHIN = timedelta(days=2)  # an estimate is at most a day, and a change of clocks, after the earliest time
_MOST_LOOKED_AT = 50


@frozen
class PassedOver:
    """The point of *archive*, and the *reason*, a sentence without its full stop."""

    archive: ArchiveId
    reason: str

    @property
    def sentence(self) -> str:
        """The archive and the reason."""
        return f"{self.archive.label} was passed over: {self.reason}"


def passed_over(places: Places, profile: str, at: datetime | None, zone: tzinfo = UTC) -> tuple[PassedOver, ...]:
    """
    The points passed over when a point of *profile* was chosen by the time *at*, or (None) as the latest, the last
    first. *zone* is that of the times in names.

    Cost: a look-up for each point after the chosen one, up to a limit.
    """
    end = None if at is None else min(at, datetime.max.replace(tzinfo=UTC) - _WITHIN) + _WITHIN
    found: list[PassedOver] = []
    has_other: bool | None = None  # looked up only if one is dated ahead, which is rare
    for archive in _back(places, profile, until=end):
        is_candidate = at is None or archive.placed_at <= at
        if is_candidate and not archive.is_dated_ahead:
            break
        if is_candidate and has_other is None:
            has_other = places.newest_place(profile, until=at, not_ahead=True) is not None
        if is_candidate and not has_other:
            break  # all are dated ahead, so this one was chosen
        first = earliest(archive, zone)
        if is_candidate or (at is not None and first <= at):
            reason = _ahead(archive) if archive.is_dated_ahead else _uncertain(archive, first)
            found.append(PassedOver(archive.id, reason))
    return tuple(found[:MOST_TOLD])


def _back(places: Places, profile: str, until: datetime | None = None) -> Iterator[BackupArchive]:
    """A limited number of archives of *profile*, the last first; only the last of several with one time."""
    place = places.newest_place(profile, until=until)
    for _ in range(_MOST_LOOKED_AT):
        if place is None:
            return
        yield place.archive
        place = places.newest_place(profile, before=place.archive.placed_at)


def _ahead(archive: BackupArchive) -> str:
    return (
        f"by what its sender or its name says it was taken at {rfc3339(archive.taken_at)}, which was in the future "
        f"when it was received, at {rfc3339(archive.received_at)}, so its true time is unknown; it can be asked for by "
        "its name"
    )


def _uncertain(archive: BackupArchive, first: datetime) -> str:
    return (
        f"its time is only known to lie between {rfc3339(first)} and {rfc3339(archive.taken_at)}, so it may be of the "
        "time that was asked for; it can be asked for by its name"
    )
