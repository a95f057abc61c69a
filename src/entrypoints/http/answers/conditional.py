"""
Conditional requests and ranges, as pure functions (RFC 9110 sections 13 and 14).

Archives never change, so the strong entity tag comes from the SHA-256 of the archive.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from attrs import frozen
from starlette.datastructures import Headers

from ....domain.text.counted import counted
from .problems import Problem

_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.ASCII | re.IGNORECASE)
_TAG = re.compile(r'(W/)?("[^"]*")')


@frozen
class Representation:
    """The representation asked for: *tag* is its strong entity tag, with the quotes."""

    tag: str
    modified_at: datetime
    size_bytes: int


def http_date(moment: datetime) -> str:
    """*moment* as an HTTP date, truncated to the second."""
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


def is_not_modified(headers: Headers, what: Representation) -> bool:
    """
    Evaluate the preconditions of a GET or HEAD in the order of RFC 9110 13.2.2; true means answer 304.

    Raises:
        Problem: 412 if If-Match or If-Unmodified-Since fails.
    """
    modified = what.modified_at.replace(microsecond=0)
    if_match = headers.get("if-match")
    if if_match is not None:
        if not _matches(if_match, what.tag, weakly=False):
            raise Problem(412, "precondition-failed", "If-Match names another version than the one stored")
    else:
        unmodified_since = _date(headers.get("if-unmodified-since"))
        if unmodified_since is not None and modified > unmodified_since:
            raise Problem(412, "precondition-failed", "it was received after If-Unmodified-Since")
    if_none_match = headers.get("if-none-match")
    if if_none_match is not None:
        return _matches(if_none_match, what.tag, weakly=True)
    modified_since = _date(headers.get("if-modified-since"))
    return modified_since is not None and modified <= modified_since


def requested_range(headers: Headers, what: Representation) -> tuple[int, int] | None:
    """
    The single byte range to answer with, as (start, stop) with stop exclusive; None for the whole.

    Several ranges, other units, and anything malformed are answered with the whole, as RFC 9110 14.2 allows.

    Raises:
        Problem: 416 if no byte lies in the range.
    """
    size = what.size_bytes
    match = _RANGE.fullmatch(headers.get("range", ""))
    if match is None or not (match[1] or match[2]) or not _if_range_holds(headers.get("if-range"), what):
        return None
    # RFC 9110 14.1.2: last-byte-pos is inclusive; a suffix range counts from the end. Digits beyond 19 exceed any size.
    if not match[1]:
        start, stop = max(0, size - _number(match[2])), size
        satisfiable = _number(match[2]) > 0
    else:
        start = _number(match[1])
        stop = min(size, _number(match[2]) + 1) if match[2] else size
        if match[2] and _number(match[2]) < start:
            return None
        satisfiable = start < size
    if not satisfiable:
        headers_416 = {"Content-Range": f"bytes */{size}"}
        raise Problem(416, "range-not-satisfiable", f"it has {counted(size, 'byte')}", headers=headers_416)
    return start, stop


def _number(digits: str) -> int:
    return int(digits.lstrip("0")[:20] or "0")


def _if_range_holds(value: str | None, what: Representation) -> bool:
    if value is None:
        return True
    if value.startswith(('"', "W/")):
        return value == what.tag  # RFC 9110 13.1.5: strong comparison
    return _date(value) == what.modified_at.replace(microsecond=0)


def _matches(value: str, tag: str, *, weakly: bool) -> bool:
    if value.strip() == "*":
        return True
    return any(found == tag and (weakly or not weak) for weak, found in _TAG.findall(value))


def _date(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        parsed = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a zone offset may be any number of hours
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
