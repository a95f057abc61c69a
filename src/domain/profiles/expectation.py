"""When archives of a profile are to come, as an operator states it or as it is learnt from those that came."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo

from attrs import field, frozen

from ..identity.archive_id import BackupType
from ..text.times import in_zone
from .schedule import Schedule

LEAST_GRACE = timedelta(hours=1)
_SHARE = 4  # of the time between two archives


@frozen
class Cadence:
    """Archives of *type*, or of any type if that is None, come at the times of *every*."""

    type: BackupType | None
    every: Schedule


@frozen
class Holiday:
    """Days on which nothing is to come, from *first* to *last*, in the time zone of the profile."""

    first: date
    last: date = field()

    @last.validator
    def _check(self, _attribute: object, last: date) -> None:
        if last < self.first:
            raise ValueError(f"{self.first}/{last} ends before it begins")

    def has(self, moment: datetime, zone: tzinfo) -> bool:
        """Whether *moment*, which is aware, is on one of the days in *zone*."""
        return self.first <= in_zone(moment, zone).date() <= self.last

    def end(self, zone: tzinfo) -> datetime:
        """When the last day is over in *zone*."""
        return datetime.combine(self.last + timedelta(days=1), datetime.min.time(), zone).astimezone(UTC)


@frozen
class Expectation:
    """
    What is to come, each by itself; without *cadences* nothing is.

    An archive may be late by *grace*; None: by a quarter of the time between two, at least an hour. Nothing is to come
    on *holidays*, in *zone*. *is_learnt* says that nobody stated it.
    """

    cadences: tuple[Cadence, ...] = ()
    grace: timedelta | None = None
    holidays: tuple[Holiday, ...] = ()
    zone: tzinfo = UTC
    is_learnt: bool = False

    def grace_for(self, gap: timedelta) -> timedelta:
        """How late an archive may be that comes *gap* after the one before it."""
        return usual_grace(gap) if self.grace is None else self.grace


def usual_grace(gap: timedelta) -> timedelta:
    """How late an archive may be that comes *gap* after the one before it, where nothing else is known."""
    return max(gap / _SHARE, LEAST_GRACE)


NOTHING = Expectation()
"""No archive is to come: silence is right."""
