"""
Choosing the type of the next dump by the rule of its profile; pure, and with the reason.

A FULL is due when no stored point can be continued, when the chain no longer restores or grows too long, and at regular
intervals. Only points whose snapshot file the server has count, because only they can be continued.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from attrs import field, frozen

from ...errors.settings import InvalidSetting
from ...identity.archive_id import BackupType
from ...text.counted import counted
from ..ports.chains import StoredPoint

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_EARLY = timedelta(hours=1)


def parse_period(text: str) -> timedelta:
    """
    Parse a period such as ``30d``, ``12h`` or ``2w``.

    Raises:
        ValueError: *text* is not a period.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,4})([hdw])", text.strip().lower(), re.ASCII)
    if match is None:
        raise ValueError(f"{text!r} is not a period such as 12h, 30d or 2w")
    return int(match[1]) * _UNITS[match[2]]


def _at_least_one(_instance: object, _attribute: object, value: int) -> None:
    if value < 1:
        raise InvalidSetting("max_chain", f"must be 1 or more, is {value}")


@frozen
class DumpRule:
    """
    A FULL every *full_every*, a DIFF every *diff_every* (None: never), else an INC.

    *max_chain* is the largest number of archives that one point may need.
    """

    full_every: timedelta = timedelta(days=30)
    diff_every: timedelta | None = timedelta(days=7)
    max_chain: int = field(default=40, validator=_at_least_one)


@frozen
class DumpChoice:
    """The type of the next dump, and why."""

    type: BackupType
    reason: str


def choose_type(rule: DumpRule, points: Sequence[StoredPoint], now: datetime) -> DumpChoice:
    """The type that *rule* chooses next; *points* are those of the profile, oldest first, *now* is aware."""
    kept = [point for point in points if point.has_snapshot and not point.is_dated_ahead]
    ahead = [point for point in points if point.has_snapshot and point.is_dated_ahead]
    usable = [point for point in kept if point.is_restorable]
    fulls = [point for point in usable if point.id.type is BackupType.FULL]
    if not fulls:
        has_full = any(point.id.type is BackupType.FULL for point in kept)
        if ahead and not has_full:
            reason = f"{ahead[-1].id.label} is dated in the future; check the clocks"
            return DumpChoice(BackupType.FULL, reason)
        return DumpChoice(BackupType.FULL, "no FULL restores" if has_full else "there is no FULL to continue from")
    newest = kept[-1]
    if not newest.is_restorable:
        return DumpChoice(BackupType.FULL, f"the chain is broken: {newest.id.label} does not restore")
    full = fulls[-1]
    if _is_due(full, rule.full_every, now):
        reason = f"{full.id.label} is {_age(full, now)} old, a FULL is due every {_text(rule.full_every)}"
        return DumpChoice(BackupType.FULL, reason)
    if newest.length >= rule.max_chain:
        reason = f"{newest.id.label} needs {counted(newest.length, 'archive')}, max_chain is {rule.max_chain}"
        return DumpChoice(BackupType.FULL, reason)
    if rule.diff_every is not None:
        whole = [point for point in usable if point.id.type is not BackupType.INC][-1]
        if _is_due(whole, rule.diff_every, now):
            reason = f"{whole.id.label} is {_age(whole, now)} old, a DIFF is due every {_text(rule.diff_every)}"
            return DumpChoice(BackupType.DIFF, reason)
    return DumpChoice(BackupType.INC, f"neither a FULL nor a DIFF is due since {full.id.label}")


def _is_due(point: StoredPoint, every: timedelta, now: datetime) -> bool:
    # due a little early, because a daily job never starts at exactly the same second
    return now - point.taken_at >= every - min(_EARLY, every / 10)


def _age(point: StoredPoint, now: datetime) -> str:
    return _text(max(now - point.taken_at, timedelta(0)))


def _text(period: timedelta) -> str:
    if period < timedelta(days=2):
        return counted(round(period / timedelta(hours=1)), "hour")
    return f"{period.days} days"
