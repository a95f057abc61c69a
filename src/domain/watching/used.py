"""How many bytes were used on a day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from attrs import field, frozen

from ..identity.archive_id import BackupType
from .arrived import ArrivedOnDay


def _all_types(sizes: Mapping[BackupType, int]) -> dict[BackupType, int]:
    return {type: sizes.get(type, 0) for type in BackupType}


@frozen
class UsedOnDay:
    """On *day*, in UTC, the stored archives of each type had *stored* bytes, and those in the trash *trash_bytes*."""

    day: date
    stored: Mapping[BackupType, int] = field(converter=_all_types)
    trash_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        return sum(self.stored.values()) + self.trash_bytes


def used_before(arrived: Iterable[ArrivedOnDay], now: UsedOnDay) -> tuple[UsedOnDay, ...]:
    """
    What was used on each day before *now*, the oldest first, worked out from all that ever *arrived*.

    Empty if that cannot be known: something was removed since, and nobody noted when.
    """
    came: dict[date, dict[BackupType, int]] = {}
    for one in arrived:
        of_day = came.setdefault(one.day, {})
        of_day[one.type] = of_day.get(one.type, 0) + one.size_bytes
    stored = dict.fromkeys(BackupType, 0)
    days = []
    for number in range((now.day - min(came, default=now.day)).days):
        day = min(came) + timedelta(days=number)
        stored = {type: stored[type] + came.get(day, {}).get(type, 0) for type in BackupType}
        days.append(UsedOnDay(day, stored))
    last = came.get(now.day, {})
    is_all_there = all(stored[type] + last.get(type, 0) == now.stored[type] for type in BackupType)
    return tuple(days) if is_all_there and not now.trash_bytes else ()
