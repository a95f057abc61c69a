"""
The table of what is to come of a profile, in the file of rules: ``["web-*".expect]``.

::

    ["web-*".expect]
    FULL = "0 2 * * 0"             # a cron line in the profile's time_zone, or a span
    any = "1d"
    grace = "6h"
    pauses = ["2026-12-24/2027-01-02"]

``expect = "nothing"`` instead of the table: silence is right. Without either it is learnt from what came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta, tzinfo
from typing import TypeAlias

from ...domain.identity.archive_id import BackupType
from ...domain.profiles.expectation import NOTHING, Cadence, Expectation, Holiday
from ...domain.profiles.schedule import Schedule
from ...domain.profiles.span import Span, Unit
from .shapes import unknown_name

ReadTimes: TypeAlias = Callable[[str, tzinfo], Schedule]
"""Reads a cron line in a zone; raises ValueError."""

ANY = "any"
_TYPES = {**{type.value: type for type in BackupType}, ANY: None}
_KNOWN = (*_TYPES, "grace", "pauses")
_HOURS = {Unit.HOUR: 1, Unit.DAY: 24, Unit.WEEK: 168}


def expectation_of(stated: object, zone: tzinfo, read_times: ReadTimes) -> Expectation:
    """
    What *stated*, as TOML gives it, says; cron lines and days are in *zone*.

    Raises:
        ValueError: something in it is unknown or wrong; the message begins with the key.
    """
    if stated == "nothing":
        return NOTHING
    if not isinstance(stated, dict):
        wanted = 'expect must be a table such as [laptop.expect], or "nothing"'
        raise ValueError(f"{wanted}, not {_shown(stated)}")  # noqa: TRY004 a wrong setting
    if (wrong := unknown_name(stated, _KNOWN, "expectation")) is not None:
        raise ValueError(wrong)
    cadences = tuple(
        Cadence(type, _times(key, stated[key], zone, read_times)) for key, type in _TYPES.items() if key in stated
    )
    if not cadences:
        raise ValueError('nothing is said to come: state FULL, INC, DIFF or any, or expect = "nothing"')
    grace = _grace(stated["grace"]) if "grace" in stated else None
    return Expectation(cadences, grace, _pauses(stated.get("pauses", [])), zone)


def expectation_settings(expectation: Expectation) -> Mapping[str, str]:
    """The keys of the table that states *expectation*, each with its value in words."""
    found = {ANY if one.type is None else one.type.value: str(one.every) for one in expectation.cadences}
    if expectation.grace is not None:
        found["grace"] = f"{expectation.grace // timedelta(hours=1)}h"
    if expectation.holidays:
        found["pauses"] = ", ".join(f"{one.first}/{one.last}" for one in expectation.holidays)
    return found


def _times(key: str, stated: object, zone: tzinfo, read_times: ReadTimes) -> Schedule:
    if isinstance(stated, str):
        if " " in stated.strip():
            try:
                return read_times(stated, zone)
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from None
        try:
            span = Span.parse(stated)
        except ValueError as error:
            raise ValueError(f"{key}: {error}; or a cron line such as 0 2 * * 0") from None
        if span.count:
            return span
    raise ValueError(f'{key} must be a span such as "1d" or a cron line such as "0 2 * * 0", not {_shown(stated)}')


def _grace(stated: object) -> timedelta:
    if isinstance(stated, str):
        try:
            span = Span.parse(stated)
        except ValueError as error:
            raise ValueError(f"grace: {error}") from None
        if span.unit in _HOURS:
            return timedelta(hours=span.count * _HOURS[span.unit])
    raise ValueError(f'grace must be a span of hours, days or weeks such as "6h", not {_shown(stated)}')


def _pauses(stated: object) -> tuple[Holiday, ...]:
    if not isinstance(stated, list):
        raise ValueError(f'pauses must be a list such as ["2026-12-24/2027-01-02"], not {_shown(stated)}')  # noqa: TRY004
    return tuple(_pause(one) for one in stated)


def _pause(stated: object) -> Holiday:
    if isinstance(stated, date):  # TOML has dates
        return Holiday(stated, stated)
    try:
        first, _, last = str(stated).partition("/")
        return Holiday(date.fromisoformat(first), date.fromisoformat(last or first))
    except ValueError as error:
        why = f": {error}" if "before it begins" in str(error) else ""
        raise ValueError(f'pauses must be days such as "2026-12-24/2027-01-02", not {_shown(stated)}{why}') from None


def _shown(stated: object) -> str:
    return f"{stated!r:.60}"
