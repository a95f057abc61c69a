"""How many archives came on a day. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime

from attrs import frozen

from ..identity.archive_id import BackupType


@frozen
class ArrivedOnDay:
    """On *day*, in UTC, so many *archives* of *type* came to *profile*, with *size_bytes* altogether; at least one."""

    profile: str
    day: date
    type: BackupType
    archives: int
    size_bytes: int


def day_of(received_at: datetime) -> date:
    """The day in UTC on which something came."""
    return received_at.astimezone(UTC).date()
