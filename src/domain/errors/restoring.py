"""Points, paths and parents that cannot be given."""

from __future__ import annotations

from datetime import datetime

from attrs import define

from ..identity.archive_id import ArchiveId
from ..tarkeep_error import TarkeepError
from ..text.lack_counts import Counts
from ..text.paths import path_text


@define
class ParentMismatch(TarkeepError):
    """The stated parent of an archive is not stored, or is not the *expected* one, which may be None."""

    stated: ArchiveId
    expected: ArchiveId | None
    is_stored: bool

    def __str__(self) -> str:
        why = "is not what this archive would continue from" if self.is_stored else "is not stored"
        advice = f"expected {self.expected}" if self.expected is not None else "make a FULL archive first"
        return f"the stated parent {self.stated} {why}; {advice}"


@define
class PathNotFound(TarkeepError):
    """The tree has no such path. *path* is in bytes, as in archives."""

    path: bytes

    def __str__(self) -> str:
        return f"there is no {path_text(self.path)} in the tree at that time"


@define
class MemberNotFound(TarkeepError):
    """The archive has no regular file at *path*, or only a sparse one, whose bytes are not stored as they are."""

    id: ArchiveId
    path: bytes

    def __str__(self) -> str:
        return f"{self.id} has no file {path_text(self.path)}, or a sparse one"


@define
class PointNotFound(TarkeepError):
    """No restore point at or before a time, or for an archive. *earliest* is the time of the first point, if any."""

    at: str
    earliest: datetime | None = None

    def __str__(self) -> str:
        hint = f"; the earliest was taken at {self.earliest.isoformat()}" if self.earliest is not None else ""
        return f"no restore point for {self.at}{hint}"


@define
class PointNotRestorable(TarkeepError):
    """
    The tree at this point cannot be restored from what is stored.

    *reasons* is one readable line per obstacle, *nearest* are restorable points, the nearest in time first. *lacks*
    counts the names that a restore with gaps would lack or could not vouch for; None if that is not possible.
    """

    id: ArchiveId
    reasons: tuple[str, ...]
    nearest: tuple[ArchiveId, ...] = ()
    lacks: Counts | None = None

    def __str__(self) -> str:
        hint = f"the nearest that can is {self.nearest[0]}" if self.nearest else "no other point can"
        return f"the tree as of {self.id} cannot be restored: {'; '.join(self.reasons)}; {hint}"


@define
class TreeTooLarge(TarkeepError):
    """The names of a tree, or of an archive to compare, take more memory than the server allows."""

    limit_bytes: int

    def __str__(self) -> str:
        return (
            f"its names and the paths of its directories have more than {self.limit_bytes} bytes "
            "(setting max_tree_bytes), or a directory lies deeper than any tar could extract it; "
            "its plan restores it with tar"
        )
