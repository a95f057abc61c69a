"""Cron lines, read and followed by cronsim."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from attrs import frozen
from cronsim import CronSim, CronSimError

from ..domain.profiles.schedule import Schedule

_FIELDS = 5
_MOST_CHARACTERS = 200
_NEVER = datetime.max.replace(tzinfo=UTC)
_SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)


@frozen
class CronSchedule:
    """The times of a cron line in a time zone."""

    line: str
    zone: tzinfo

    def __str__(self) -> str:
        return self.line

    def after(self, moment: datetime) -> datetime:
        """
        The first time after *moment*, in UTC.

        Cost: some microseconds; for a line whose times come once in years a hundred times that.
        """
        try:
            for found in CronSim(self.line, moment.astimezone(self.zone)):
                at = found.astimezone(UTC)
                if at > moment:  # after the clock was set back, cronsim begins with the hour that it passes twice
                    return at
        except OverflowError:
            pass
        return _NEVER


@frozen
class CronsimLines:
    """`CronLines` by cronsim."""

    def read(self, line: str, zone: tzinfo) -> Schedule:
        words = line.split()
        if len(words) != _FIELDS or len(line) > _MOST_CHARACTERS:
            raise ValueError(
                f"{line[:40]!r} is not a cron line of five fields (minute, hour, day of the month, month, day of the "
                "week) such as 30 3 * * *"
            )
        schedule = CronSchedule(" ".join(words), zone)
        try:
            first = schedule.after(_SOME_DAY)
        except (CronSimError, ValueError, AssertionError) as error:
            raise ValueError(f"{line!r} is not a cron line: {str(error).lower() or 'bad field'}") from None
        if first == _NEVER:
            raise ValueError(f"{line!r} is a cron line whose times never come")
        return schedule
