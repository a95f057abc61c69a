"""
The lines of the evidence log: what the server checked, and what came of it, in months.

The rule: a line says what happened, never what was meant to. Lines are chained as in `access.chain`, from month to
month too, so that a month that is missing is noticed. Nothing seals them: what protects a month from whoever can write
the data directory is a signed copy of it elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import Enum

from attrs import frozen

from ..access.chain import FIRST, LineChain, line_digest, told_in
from ..text.times import rfc3339

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


class EvidenceKind(Enum):
    """What a line is about."""

    SCRUB = "scrub"  # a run of the scrub ended
    READ = "read"  # archives were read again, and are what was received
    DAMAGED = "damaged"
    REPAIRED = "repaired"  # damaged bytes are right again
    MENDED = "mended"  # a file beside an archive was wrong, and was made anew
    UNSTABLE = "unstable"  # wrong once, right when it was read again
    DRILL = "drill"  # a machine restored a point
    REHEARSED = "rehearsed"  # the server put a point together: less than a drill
    PRUNED = "pruned"  # archives were moved to the trash
    PURGED = "purged"  # archives were removed for good
    RELEASED = "released"  # a hold or a brake


@frozen
class EvidenceEntry:
    """One thing that happened: when, of what kind, and what there is to be *told* about it, in words of JSON."""

    at: datetime
    kind: EvidenceKind
    told: Mapping[str, object]


def month_of(at: datetime) -> str:
    """The month of *at* in UTC, such as ``2026-11``."""
    return f"{at.astimezone(UTC):%Y-%m}"


def check_month(text: str) -> str:
    """
    *text*, which names a month.

    Raises:
        ValueError: it does not.
    """
    if not _MONTH.fullmatch(text):
        raise ValueError(f"{text[:40]!a} is not a month such as 2026-11")
    return text


def line_of(entry: EvidenceEntry, before: str) -> bytes:
    """The line of *entry*, without its newline, after the one with the digest *before*."""
    return json.dumps(
        {"at": rfc3339(entry.at), "kind": entry.kind.value, **entry.told, "before": before}, separators=(", ", ": ")
    ).encode()


def entry_of(line: bytes) -> EvidenceEntry | None:
    """What *line* says; None if it is torn or damaged, or of a kind that this version does not know."""
    told = told_in(line)
    if told is None:
        return None
    try:
        at, kind = datetime.fromisoformat(str(told.pop("at"))), EvidenceKind(told.pop("kind"))
    except (KeyError, ValueError):
        return None
    del told["before"]
    return EvidenceEntry(at, kind, told) if at.tzinfo is not None else None


@frozen
class EvidencePlace:
    """A line, by its *month* and its number in it, from 1."""

    month: str
    line: int

    def __str__(self) -> str:
        return f"line {self.line} of {self.month}"


@frozen
class MonthInChain:
    """
    A *month* as the chain has it: its *lines*, the digests of the *first* and the *last* of them, and that of the line
    before, which it *follows*. *sha256* is that of all lines, each with its newline, *torn* how many a crash cut.
    """

    month: str
    lines: int
    first: str
    last: str
    follows: str
    sha256: str
    torn: int = 0


@frozen
class EvidenceReport:
    """
    What checking the whole log has shown: its *months*, and the first line that is *broken*, since it does not follow
    the one before it. *noted* is the line with the digest that the caller noted, *holds_noted* whether there is one.
    """

    months: tuple[MonthInChain, ...]
    broken: EvidencePlace | None
    holds_noted: bool
    noted: EvidencePlace | None = None

    @property
    def lines(self) -> int:
        return sum(month.lines for month in self.months)

    @property
    def torn(self) -> int:
        return sum(month.torn for month in self.months)

    @property
    def last(self) -> str:
        """The digest of the newest line."""
        return next((month.last for month in reversed(self.months) if month.lines), FIRST)

    @property
    def is_whole(self) -> bool:
        """Whether everything that can be checked is right."""
        return self.broken is None and self.holds_noted

    def of(self, month: str) -> MonthInChain | None:
        """What there is of *month*; None if it has no line."""
        return next((one for one in self.months if one.month == month and one.lines), None)


def checked(months: Iterable[tuple[str, Iterable[bytes]]], noted: str | None = None) -> EvidenceReport:
    """Check the lines of *months*, in their order; and whether one of all lines has the digest *noted*."""
    chain = LineChain(noted)
    found: list[MonthInChain] = []
    broken: EvidencePlace | None = None
    noted_at: EvidencePlace | None = None
    for month, lines in months:
        first, follows, torn, before = FIRST, chain.last, 0, chain.lines
        running = hashlib.sha256()
        for line in lines:
            told = told_in(line)
            chain.take(line, told)
            torn += told is None
            if chain.lines == before + 1:
                first, follows = line_digest(line), str(told["before"]) if told is not None else follows
            running.update(line + b"\n")
            here = EvidencePlace(month, chain.lines - before)
            if chain.broken == chain.lines:
                broken = here
            if chain.noted_line == chain.lines:
                noted_at = here
        last = chain.last if chain.lines > before else FIRST
        found.append(MonthInChain(month, chain.lines - before, first, last, follows, running.hexdigest(), torn))
    return EvidenceReport(tuple(found), broken, chain.holds_noted, noted_at)
