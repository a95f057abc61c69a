"""How much is stored: on a medium, in a profile and type."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from ..identity.archive_id import BackupType


@frozen
class Usage:
    """Used and free bytes of the medium that holds a store; *free_bytes* is None where no end of it is known."""

    used_bytes: int
    free_bytes: int | None


@frozen
class Totals:
    """How many archives of one type one profile holds, their bytes, and when the newest was received."""

    profile: str
    type: BackupType
    archives: int
    size_bytes: int
    newest: datetime


@frozen
class Sums:
    """How many archives there are, and their bytes."""

    archives: int
    size_bytes: int
