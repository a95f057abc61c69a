"""How a receive ended."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from ...archives.archive import ArchiveState, BackupArchive
from ...chains.seen import told_of
from ...chains.standing import PlacedArchive, doubts_about_bytes
from ...errors.archives import NameConflict
from ...errors.capacity import InsufficientStorage
from ...errors.content import UploadInterrupted
from ...identity.archive_id import ArchiveId
from ...tarkeep_error import TarkeepError


class SameName(Enum):
    """What to do with other bytes under a taken name."""

    REJECT = "reject"
    KEEP_BOTH = "keep-both"


class ReceiveOutcome(Enum):
    """How a successful receive ended."""

    NEW = "new"
    DUPLICATE = "duplicate"  # the same bytes were already stored under this name
    REPAIRED = "repaired"  # likewise, but the stored copy was missing or damaged, and is whole again
    KEPT_BOTH = "kept-both"  # other bytes had the name: this archive is stored under the name in the answer


INTERRUPTED, REFUSED, FAILED = "interrupted", "refused", "failed"
"""How an unsuccessful receive ended: the sender broke off, the archive is not acceptable, the server could not."""


OUTCOMES = (*(outcome.value for outcome in ReceiveOutcome), INTERRUPTED, REFUSED, FAILED)
"""All words for what becomes of an archive that is sent."""


def became_of(error: Exception) -> str:
    """What became of an archive whose receive ended with *error*, in one word."""
    if isinstance(error, UploadInterrupted):
        return INTERRUPTED
    if not isinstance(error, TarkeepError) or isinstance(error, InsufficientStorage) or error.is_transient:
        return FAILED
    return REFUSED


@frozen
class Received:
    """
    The stored archive, and how the receive ended.

    *point* is its restore point, or None if working it out takes too long. *brought_back* are the archives that came
    back from the trash: what it builds on, and itself if its bytes were there.
    """

    archive: BackupArchive
    outcome: ReceiveOutcome
    point: PlacedArchive | None = None
    brought_back: tuple[ArchiveId, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the sender should know: why the archive does not restore, and what does not fit its type."""
        if self.point is None or self.point.standing is None:
            return tuple(doubt.reason for doubt in doubts_about_bytes(self.archive))
        standing = self.point.standing
        obstacles = (obstacle.reason for obstacle in standing.obstacles)
        return (*obstacles, *told_of(standing.seen), *(doubt.reason for doubt in standing.doubts))


def conflict_with(id: ArchiveId, existing: BackupArchive) -> NameConflict:
    """The refusal of bytes for *id*, whose name *existing* has, or had until it was removed."""
    return NameConflict(id, existing.digests.sha256, was_removed=existing.state is ArchiveState.TRASHED)
