"""
One restore drill: a point, how it is restored, and what came of it.

A *drill* restores a point with the tar of a machine, outside the server. A *rehearsal* is weaker: the server puts the
tree together and reads it, but extracts nothing. Neither is ever shown as the other.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from attrs import evolve, frozen

from ..identity.archive_id import ArchiveId
from .comparison import NameDiffers


class DrillKind(Enum):
    """Who restored."""

    DRILL = "drill"
    REHEARSAL = "rehearsal"


class DrillWay(Enum):
    """How a point is restored."""

    PLAN = "plan"  # archive after archive
    MERGED = "restore.tar"  # one tar that the server makes


class DrillOutcome(Enum):
    """What a drill came to."""

    OPEN = "open"
    EQUAL = "equal"
    DIFFERENT = "different"
    FAILED = "failed"  # nothing could be judged
    ABANDONED = "abandoned"  # another one began before it was reported


@frozen
class DrilledArchive:
    """An archive that a drill restores from, with what has to be known of it."""

    id: ArchiveId
    sha256: str
    size_bytes: int
    is_incremental: bool


@frozen
class DrillReport:
    """
    What is known of a drill that ended.

    *expected* names had to be there, *names* were, with *restored_bytes* in files; *seconds* passed until the last one
    was there. *different* names differ, the first of them are *differences*. *not_compared* says what was left out,
    *said* is what tar said, *error* why nothing could be judged.
    """

    expected: int = 0
    names: int = 0
    restored_bytes: int = 0
    seconds: float = 0.0
    different: int = 0
    differences: tuple[NameDiffers, ...] = ()
    not_compared: tuple[str, ...] = ()
    tar: str = ""
    sandbox: str = ""
    said: tuple[str, ...] = ()
    error: str = ""


@frozen
class Drill:
    """
    A drill of *point*; *turn* counts those of its profile, from 0. *who* asked for it, as in the audit log.

    *folders* are the parts of the tree that are restored, all of it if there are none; they hold *share* of its bytes.
    """

    id: str
    kind: DrillKind
    point: ArchiveId
    turn: int
    way: DrillWay
    archives: tuple[DrilledArchive, ...]
    started_at: datetime
    who: str | None = None
    is_exact: bool = True
    folders: tuple[bytes, ...] = ()
    share: float = 1.0
    outcome: DrillOutcome = DrillOutcome.OPEN
    ended_at: datetime | None = None
    report: DrillReport = DrillReport()

    @property
    def profile(self) -> str:
        return self.point.profile

    @property
    def size_bytes(self) -> int:
        """The stored size of all archives together."""
        return sum(archive.size_bytes for archive in self.archives)

    @property
    def rate(self) -> float | None:
        """Stored bytes per second that were restored; None if nothing was measured."""
        if self.kind is not DrillKind.DRILL or self.outcome is not DrillOutcome.EQUAL or self.folders:
            return None
        return self.size_bytes / self.report.seconds if self.report.seconds > 0 else None

    def ended(self, outcome: DrillOutcome, at: datetime, report: DrillReport) -> Drill:
        """The drill as it ended."""
        return evolve(self, outcome=outcome, ended_at=at, report=report)
