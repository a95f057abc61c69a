"""
The audit log: one line for each write, each with the SHA-256 of the line before, so that none can be changed unseen.

The rule: lines are only ever added. What follows from a changed, missing or inserted line is that the next one does not
fit, all the way to the end; only lines cut off at the end leave a chain that fits, so whoever wants to notice that
keeps the digest of the last line elsewhere. A line torn by a crash stays, and the next one is chained to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime

from attrs import frozen

from .sidecar import rfc3339

HOST = "host"
"""Who wrote, where it was somebody on the server's own host."""

FIRST = "0" * 64
"""What the first line has for the digest of the line before."""


@frozen
class AuditEntry:
    """
    One write: when, *who* (the id of a token, None where none was needed, or ``host``), *address* it came from, *what*
    was written, the SHA-256 of its bytes where it has any, and *result*, a word.
    """

    at: datetime
    who: str | None
    address: str
    what: str
    sha256: str | None
    result: str


@frozen
class AuditReport:
    """
    What became of checking a log: its *lines*, the digest of the *last* one, and the number of the first that is
    *broken*, from 1, None where all fit. *torn* lines were cut by a crash; *holds_noted* tells whether a line has the
    digest that somebody noted.
    """

    lines: int
    last: str
    broken: int | None
    torn: int
    holds_noted: bool


def line_of(entry: AuditEntry, before: str) -> bytes:
    """The line of *entry*, without its end, after the one with the digest *before*."""
    told = {
        "at": rfc3339(entry.at),
        "who": entry.who,
        "address": entry.address,
        "what": entry.what,
        "sha256": entry.sha256,
        "result": entry.result,
        "before": before,
    }
    return json.dumps(told).encode()


def line_digest(line: bytes) -> str:
    """The SHA-256 of *line* without its end, in lower-case hex."""
    return hashlib.sha256(line).hexdigest()


def check(lines: Iterable[bytes], noted: str | None = None) -> AuditReport:
    """Check *lines*, without their ends, from the first on; and whether one of them has the digest *noted*."""
    last, count, torn, broken, is_held = FIRST, 0, 0, None, noted is None
    for line in lines:
        count += 1
        before = _before(line)
        if before is None:
            torn += 1
        elif before != last and broken is None:
            broken = count
        last = line_digest(line)
        is_held = is_held or last == noted
    return AuditReport(count, last, broken, torn, is_held)


def _before(line: bytes) -> str | None:
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return str(told["before"]) if isinstance(told, dict) and "before" in told else None
