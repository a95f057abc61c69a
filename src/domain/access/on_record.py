"""
What the audit log says of removals: the words by which lines about them are found again after a crash.

The rule: a line about a removal is on the disk before the removal is certain to happen, and after nothing but its end
can stop it. A line that comes true no more is followed by one that takes it back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import frozen

from ..identity.archive_id import ArchiveId
from .audit import HOST

Enter = Callable[[ArchiveId, "str | None", str], None]
"""Adds a line about an archive with that SHA-256 and that result to the audit log; it never fails."""

MOVED = "moved to the trash"
BACK = "brought back from the trash"
STAYS = "stays: its move to the trash was not finished"
PURGED = "removed from the trash for good"

COMES_AND_GOES = (MOVED, BACK, STAYS)
"""The beginnings of the lines that say whether an archive is in the trash."""


@frozen
class OnRecord:
    """
    How a removal gets into the audit log: *who* asked for it, as in `AuditEntry`, *by* what, such as ``plan``, and what
    enters a line.
    """

    who: str | None = HOST
    by: str = "plan"
    enter: Enter = lambda _id, _sha256, _result: None


def moved(by: str, plan: str, reasons: Sequence[str]) -> str:
    """The result of a line about an archive that *plan*, a digest, removes for these *reasons*."""
    return f"{MOVED} by {by} {plan[:12]}: {'; '.join(reasons)}"
