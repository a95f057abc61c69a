"""How a receive ended."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from ...archives.archive import BackupArchive
from ...chains.seen import told_of
from ...chains.standing import PlacedArchive, doubts_about_bytes


class SameName(Enum):
    """What to do with other bytes under a name that is taken."""

    REJECT = "reject"
    KEEP_BOTH = "keep-both"


class ReceiveOutcome(Enum):
    """How a receive ended well."""

    NEW = "new"
    DUPLICATE = "duplicate"  # the same bytes were stored under this name before
    REPAIRED = "repaired"  # likewise, and the stored copy was missing or damaged: it is whole again
    KEPT_BOTH = "kept-both"  # the name was taken by other bytes: stored under the name in the answer


@frozen
class Received:
    """
    The stored archive, and how it came about.

    *point* is its restore point, where that does not take too long to tell.
    """

    archive: BackupArchive
    outcome: ReceiveOutcome
    point: PlacedArchive | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its sender should know: why it does not restore, and what about it does not go with its type."""
        if self.point is None or self.point.standing is None:
            return tuple(doubt.reason for doubt in doubts_about_bytes(self.archive))
        standing = self.point.standing
        obstacles = (obstacle.reason for obstacle in standing.obstacles)
        return (*obstacles, *told_of(standing.seen), *(doubt.reason for doubt in standing.doubts))
