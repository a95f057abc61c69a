"""
How much may be stored: the reserve of the disk that stays free, and the quotas of profiles.

The rule: a refusal says what is needed and what is free, and nothing of the refused archive is kept.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from ..archives.totals import Sums, Usage
from ..errors.capacity import InsufficientStorage, QuotaExceeded
from ..errors.content import TooLarge
from .rules import ProfileRules

RESERVE_BYTES = 1 << 30
RESERVE_SHARE = 0.05


@frozen
class Reserve:
    """
    The free space to keep on the medium: *size_bytes*, or if that is None the larger of 1 GiB and 5 % of it; nothing
    where no end of the medium is known.
    """

    size_bytes: int | None = None

    def of(self, usage: Usage) -> int:
        """The reserve on that medium, in bytes."""
        if usage.free_bytes is None:
            return 0
        if self.size_bytes is not None:
            return self.size_bytes
        return max(RESERVE_BYTES, int((usage.used_bytes + usage.free_bytes) * RESERVE_SHARE))


NO_RESERVE = Reserve(0)
"""Fill the medium up to the last byte."""


def check_room(usage: Usage, reserve: Reserve, coming_bytes: int) -> None:
    """
    Check that *coming_bytes* more fit beside the reserve; 0 where the size is not known.

    Raises:
        InsufficientStorage: they do not fit, or the reserve is already in use.
    """
    needed = coming_bytes + reserve.of(usage)
    if usage.free_bytes is not None and usage.free_bytes < needed:
        raise InsufficientStorage(needed, usage.free_bytes)


def check_quota(
    profile: str, rules: ProfileRules, held: Iterable[Sums], coming_bytes: int, unfinished_bytes: int = 0
) -> None:
    """
    Check that one more archive of *coming_bytes* fits into what *rules* allow *profile*, which has *held* altogether.

    *unfinished_bytes* are held by uploads that are to become archives of the profile.

    Raises:
        QuotaExceeded: it does not fit.
    """
    rows = list(held)
    held_bytes, archives = sum(row.size_bytes for row in rows) + unfinished_bytes, sum(row.archives for row in rows)
    if rules.max_bytes is not None and held_bytes + coming_bytes > rules.max_bytes:
        raise QuotaExceeded(profile, "bytes", "max_bytes", rules.max_bytes, held_bytes, coming_bytes, unfinished_bytes)
    if rules.max_archives is not None and archives + 1 > rules.max_archives:
        raise QuotaExceeded(profile, "archives", "max_archives", rules.max_archives, archives, 1)


def check_size(size_bytes: int, limit_bytes: int | None) -> None:
    """
    Check that one archive may have that many bytes; None is no limit but the medium's.

    Raises:
        TooLarge: the archive is larger than the limit.
    """
    if limit_bytes is not None and size_bytes > limit_bytes:
        raise TooLarge(limit_bytes)
