"""
Planning a restore: the archives, whether tar alone restores them correctly, and whether any name lacks.

Comparing each archive with its parent mostly proves that no name is missing; that is part of the point's standing. The
tree is merged only if it does not; if the tree is too large for that, the plan is given all the same.
"""

from __future__ import annotations

from datetime import datetime

from attrs import evolve, frozen

from ...archives.archive import BackupArchive
from ...chains.points import Plan
from ...chains.standing import Fidelity
from ...errors.archives import ArchiveCorrupt
from ...errors.restoring import PointNotRestorable
from ...identity.archive_id import ArchiveId
from ...tar.paths import canonical
from ...text.lack_counts import NONE, Counts
from ...trees.lacks import Lacks
from .load_points import ProfilePoints
from .open_point import PointTrees

_PART = "tar would extract the whole tree, of which only a part is wanted"
_LACKS = "some of the archives that it takes are damaged"


@frozen
class MadePlan:
    """
    *plan* with its *archives*, in order, for *path* and everything below. *is_exact* means that all of them have
    listings. *unseen* says why missing names could not be ruled out, or is empty.

    *counts* has the number of requested names that are not given back, or not for certain, as far as the tree was
    merged, and *lacks* lists them; *unknown* describes names that cannot be listed.
    """

    plan: Plan
    archives: tuple[BackupArchive, ...]
    is_exact: bool
    unseen: str = ""
    counts: Counts = NONE
    lacks: Lacks | None = None
    unknown: tuple[str, ...] = ()
    path: bytes = b""


@frozen
class MakePlan:
    """Plan a restore, without merging the tree if possible."""

    trees: PointTrees

    def __call__(
        self,
        points: ProfilePoints,
        at: datetime | ArchiveId | None = None,
        path: bytes = b"",
        *,
        allow_gaps: bool = False,
    ) -> MadePlan:
        """
        The plan for one of the *points* of a profile: for the whole of it, or for *path* and everything below; with
        *allow_gaps* even if names lack. It is refused when `RestoreTar` would refuse it.

        Cost: grows with the path; merges the tree only if comparing could not rule out missing names.

        Raises:
            ProfileNotFound, PointNotFound, PointNotRestorable: as `OpenPoint`, except for trees that are too large.
            PathNotFound: the tree does not have *path*.
            ArchiveCorrupt: an archive that had to be read is damaged; never with *allow_gaps*.
        """
        below = canonical(path)
        if not below:
            if allow_gaps:
                points = self.trees.find_damage(points, at)
            try:
                return self._of_archives(points, at)
            except PointNotRestorable:
                pass  # the damaged archives may hold nothing requested; if they do, the tree tells how many names
            except ArchiveCorrupt:
                if not allow_gaps:
                    raise
        opened = self.trees.open(points, at, allow_gaps=allow_gaps)
        opened.check(below, allow_gaps=allow_gaps)
        distrust = opened.plan.distrust or (_PART if below else _LACKS)
        return MadePlan(
            evolve(opened.plan, distrust=distrust),
            opened.archives,
            opened.way.is_exact,
            counts=opened.count(below),
            lacks=opened.lacks,
            unknown=opened.way.unknown,
            path=below,
        )

    def _of_archives(self, points: ProfilePoints, at: datetime | ArchiveId | None) -> MadePlan:
        """The plan of a point that restores whole."""
        plan = points.plan(at)
        archives, seen = plan.point.archives, plan.point.standing.seen
        is_exact = plan.point.fidelity is Fidelity.EXACT
        lacks = self.trees.of_plan(plan, archives).lacks if seen.gaps else None  # to name the gaps
        return MadePlan(plan, archives, is_exact, seen.unseen, Counts(seen.gaps), lacks)
