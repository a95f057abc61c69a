"""
The rules for names, and the times that names contain.

A name that passes these rules is safe as one path component on every common file system, in a URL once percent-encoded,
and in a shell script once quoted. Names are judged, never repaired: a client must find its archive under
the very name it sent.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta, tzinfo

from .invalid import InvalidName

ARCHIVE_SUFFIX = ".tar.gz"
PROFILE_MAX_CHARS = 64
ARCHIVE_NAME_MIN_BYTES = 8
ARCHIVE_NAME_MAX_BYTES = 200

_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_COMMON = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+@=,()-]{0,192}\.tar\.gz", re.ASCII)
"""The names that nearly all archives have, which need no closer look; 8 to 200 characters."""

_PUNCTUATION = frozenset(" ._+@=,()-")
_STAMP = re.compile(
    r"(?<!\d)(\d{4})-?(0[1-9]|1[0-2])-?([0-3]\d)[T_ -]?([01]\d|2[0-3])[-:.]?([0-5]\d)[-:.]?([0-5]\d)(Z?)(?!\d)",
    re.ASCII,
)
_DAY = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<mark>[-_.]?)(?P<month>0[1-9]|1[0-2])(?P=mark)(?P<day>[0-3]\d)(?!\d)", re.ASCII
)


def check_profile(value: str) -> str:
    """
    Return *value* if it may name a profile: 1 to 64 of ``A-Za-z0-9._-``, first a letter or digit.

    Raises:
        InvalidName: with the broken rule.
    """
    if not 1 <= len(value) <= PROFILE_MAX_CHARS:
        raise InvalidName("profile", value, f"must have 1 to {PROFILE_MAX_CHARS} characters")
    if not _PROFILE.fullmatch(value):
        raise InvalidName("profile", value, "may hold only A-Z a-z 0-9 . _ - and must start with a letter or digit")
    return value


def check_archive_name(value: str) -> str:
    """
    Return *value* if it may name an archive.

    8 to 200 bytes of UTF-8 in NFC; letters and digits of any script, their combining marks, space and ``._+@=,()-``;
    first a letter or digit; ending in ``.tar.gz``.

    Raises:
        InvalidName: with the broken rule.
    """
    return value if _COMMON.fullmatch(value) else judged_closely(value)


def judged_closely(value: str) -> str:
    """As `check_archive_name`, rule by rule."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidName("archive", value, "must be valid UTF-8") from None
    if not value.endswith(ARCHIVE_SUFFIX):
        raise InvalidName("archive", value, f"must end in {ARCHIVE_SUFFIX}")
    if not ARCHIVE_NAME_MIN_BYTES <= size <= ARCHIVE_NAME_MAX_BYTES:
        rule = f"must have {ARCHIVE_NAME_MIN_BYTES} to {ARCHIVE_NAME_MAX_BYTES} bytes in UTF-8, has {size}"
        raise InvalidName("archive", value, rule)
    if value.isascii():
        foreign = next((c for c in value if not (c.isalnum() or c in _PUNCTUATION)), None)
    else:
        if not unicodedata.is_normalized("NFC", value):
            raise InvalidName("archive", value, "must be in Unicode normal form C (NFC)")
        foreign = next((c for c in value if not _is_allowed(c)), None)
    if foreign is not None:
        raise InvalidName("archive", value, f"may hold only letters, digits, space and ._+@=,()- but has {foreign!a}")
    if not value[0].isalnum():
        raise InvalidName("archive", value, "must start with a letter or digit")
    return value


def time_in_name(name: str, zone: tzinfo = UTC) -> datetime | None:
    """
    The time of the dump written into *name*, in UTC, or None.

    Understands ``full_2025-11-21_09-07-19.tar.gz`` and its common relatives (``20251121T090719Z``,
    ``2025-11-21 09:07:19``). The first such stamp counts. A stamp without a ``Z`` is in *zone*; in an hour that a
    clock change repeats, it means the first pass.
    """
    for match in _STAMP.finditer(name):
        *numbers, zulu = match.groups()
        year, month, day, hour, minute, second = map(int, numbers)
        try:
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC if zulu else zone).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None


def day_in_name(name: str, zone: tzinfo = UTC) -> tuple[datetime, datetime] | None:
    """
    The beginning and the last moment of the day written into *name*, in UTC, or None.

    Understands ``full_2025-11-21.tar.gz`` and ``full-20251121.tar.gz``; the day is in *zone*, and the first counts.
    """
    for match in _DAY.finditer(name):
        try:
            year, month, day = map(int, match.group("year", "month", "day"))
            begin = datetime(year, month, day, tzinfo=zone)
            return begin.astimezone(UTC), (begin + timedelta(days=1)).astimezone(UTC) - timedelta(microseconds=1)
        except (ValueError, OverflowError):
            continue
    return None


def with_time(name: str, moment: datetime) -> str:
    """*name* with *moment* (aware) before its suffix: ``backup.2026-11-23T02-03-04Z.tar.gz``."""
    stem = name.removesuffix(ARCHIVE_SUFFIX)
    return f"{stem}.{moment.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}{ARCHIVE_SUFFIX}"


def _is_allowed(character: str) -> bool:
    # Marks (M*) belong to letters in many scripts, even in NFC; the first character must not be one.
    return character in _PUNCTUATION or unicodedata.category(character)[0] in "LM" or character.isdecimal()
