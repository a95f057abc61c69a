"""
Times as people type them on a command line: ``yesterday``, ``2 days ago``, ``-3d``, ``14:30``; or, of what is to come,
``tomorrow``, ``30d``, ``in 2 weeks``.

A time without a zone is in this machine's zone. The command prints how it understood it, since the server and its
lists use UTC.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta

from ....domain.client.ports.chains import LATEST
from ....domain.errors.settings import UsageError
from ....domain.identity.archive_id import BackupType
from ....domain.identity.naming import check_archive_name
from ....domain.profiles.span import Span
from ..terminal.output import Output

EXAMPLES = "2026-11-24, '2026-11-24 14:30', 2026-11-24T14:30:00Z, 14:30, yesterday, '2 days ago' or -3d"
AHEAD_EXAMPLES = (
    "2027-12-31, '2027-12-31 14:30', 2027-12-31T14:30:00Z, 14:30, tomorrow, 30d, 6m (months) or 'in 2 weeks'"
)
_LONGEST = 80
_DAYS = {"today": 0, "yesterday": 1}
_UNITS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
    "year": timedelta(days=365),
}
_SHORT = {"min": "minute", "h": "hour", "d": "day", "w": "week", "y": "year"}
_AGO = re.compile(r"(\d{1,6}|an?)\s+([a-z]+?)s?\s+ago", re.ASCII)
_BACK = re.compile(r"-(\d{1,6})\s*([a-z]+)", re.ASCII)
_IN = re.compile(r"in\s+(\d{1,6}|an?)\s+([a-z]+)", re.ASCII)
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d)?", re.ASCII)
_DAY_AND_CLOCK = re.compile(r"(today|yesterday)\s+(?:at\s+)?(\S+)")


def point_at(text: str, output: Output) -> str:
    """
    The value that ``--at`` *text* sends to a server: ``latest``, an archive as NAME or TYPE/NAME, or a time in UTC.

    Raises:
        UsageError, InvalidName, InvalidType: *text* is none of these.
    """
    if text.strip().lower() == LATEST:
        return LATEST
    word, slash, name = text.rpartition("/")
    if name.endswith(".tar.gz"):
        type = BackupType.parse(word).value if slash else ""
        return f"{type}{slash}{check_archive_name(name)}"
    try:
        moment = moment_of(text, datetime.now())
    except ValueError:
        raise UsageError(
            "--at", f"{text[:_LONGEST]!r} is not a time; give one such as {EXAMPLES}, an archive's name, or {LATEST}"
        ) from None
    tell_zone("--at", text, moment, output)
    return moment.isoformat().removesuffix("+00:00") + "Z"


def moment_of(text: str, now: datetime) -> datetime:
    """
    The time in UTC that *text* means at *now*, a naive local time of this machine.

    A day means its last moment, a time of day its latest occurrence. A month is 30 days, a year 365.

    Raises:
        ValueError: *text* is not a time.
    """
    words = " ".join(text.lower().split())
    try:
        return (_spoken(words, now) or _dated(text.strip())).astimezone(UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{text!r} is before or after all times") from error


def moment_ahead(text: str, now: datetime) -> datetime:
    """
    The time in UTC that *text*, the end of something, means at *now*, a naive local time of this machine.

    A day means its last moment, a time of day its next occurrence; ``30d`` is a span from now on, as rules state them.

    Raises:
        ValueError: *text* is not such a time.
    """
    words = " ".join(text.lower().split())
    try:
        return (_coming(words, now) or _dated(text.strip())).astimezone(UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{text!r} is after all times") from error


def _coming(words: str, now: datetime) -> datetime | None:
    if words in ("today", "tomorrow"):
        return _end(now.date() + timedelta(days=words == "tomorrow"))
    if _CLOCK.fullmatch(words):
        today = datetime.combine(now.date(), _clock(words))
        return today if today > now else today + timedelta(days=1)
    if (match := _IN.fullmatch(words)) is not None:
        return now.astimezone() + _length(match[1], match[2])
    with suppress(ValueError):
        return Span.parse(words).after(now.astimezone())
    return None


def tell_zone(option: str, text: str, moment: datetime, output: Output) -> None:
    """Print how *text* was understood, unless it names its zone."""
    if not _has_zone(text.strip()):
        output.message(f"{option} {text} is taken as {moment.astimezone():%Y-%m-%d %H:%M:%S %z}, this machine's time")


def _spoken(words: str, now: datetime) -> datetime | None:
    """The time for *words* such as ``2 days ago`` or ``14:30``, local if naive; None if they are not of this form."""
    if words == "now":
        return now
    if words in _DAYS:
        return _end(now.date() - timedelta(days=_DAYS[words]))
    if match := _DAY_AND_CLOCK.fullmatch(words):
        return datetime.combine(now.date() - timedelta(days=_DAYS[match[1]]), _clock(match[2]))
    if _CLOCK.fullmatch(words):
        today = datetime.combine(now.date(), _clock(words))
        return today if today <= now else today - timedelta(days=1)
    if (match := _AGO.fullmatch(words) or _BACK.fullmatch(words)) is not None:
        return now.astimezone() - _length(match[1], match[2])
    return None


def _length(count: str, word: str) -> timedelta:
    unit = _UNITS.get(_SHORT.get(word, word.removesuffix("s")))
    if unit is None:
        raise ValueError(f"{word} is no unit")
    return (int(count) if count.isdigit() else 1) * unit


def _clock(text: str) -> time:
    return time.fromisoformat(":".join(part.zfill(2) for part in text.split(":")))


def _dated(text: str) -> datetime:
    try:
        return _end(date.fromisoformat(text))
    except ValueError:
        return datetime.fromisoformat(text)


def _end(day: date) -> datetime:
    return datetime.combine(day, time.max)


def _has_zone(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
