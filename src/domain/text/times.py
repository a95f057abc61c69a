"""Times as RFC 3339 writes them."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo


def utc_from_timestamp(seconds: float) -> datetime | None:
    """*seconds* since the epoch as UTC, or None where it is outside what a datetime can hold."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def rfc3339(moment: datetime) -> str:
    """*moment* as RFC 3339 in UTC ending in ``Z``; microseconds only where there are any."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat()[: -len("+00:00")] + "Z"


def minute(moment: datetime) -> str:
    """*moment* in UTC, to the minute, such as ``2026-11-30 04:00Z``."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%MZ}"


def in_zone(at: datetime, zone: tzinfo) -> datetime:
    """*at* in *zone*; at the ends of the calendar, in UTC."""
    try:
        return at.astimezone(zone)
    except (OverflowError, ValueError):
        return at
