"""
What it takes to restore a point, judged: the archives, whether tar may be trusted with them, and whether all is there.

That no name is missing is mostly known from comparing each archive with the one before it, and is part of the point's
standing. Only where it is not, the tree is merged to see; a tree that is too large for that keeps nobody from the plan.
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
from .load_points import LoadPoints, ProfilePoints
from .open_point import OpenPoint


@frozen
class MadePlan:
    """
    *plan* with its *archives*, in order, for what lies at and below *path*. *is_exact* where all of them have listings.
    *unseen* says why nobody could see whether all names are there, if so.

    *counts* has how many names are not given back, or not for certain, of what was asked for, as far as the tree was
    merged to see, and *lacks* which; *unknown* tells of those that nobody can list.
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
    """Plan a restore without the tree, wherever that is possible."""

    load: LoadPoints
    open: OpenPoint

    def __call__(
        self, profile: str, at: datetime | ArchiveId | None = None, path: bytes = b"", *, allow_gaps: bool = False
    ) -> MadePlan:
        """
        The plan for the whole point, or for what lies at and below *path*; with *allow_gaps* whatever lacks of it. It
        is refused where `RestoreTar` refuses it.

        Cost: that of the path, and of its tree where comparing did not tell that it is whole.

        Raises:
            ProfileNotFound, PointNotFound, PointNotRestorable: as `OpenPoint`, but for trees that are too large.
            PathNotFound: the tree has no such name.
            ArchiveCorrupt: an archive had to be read and is damaged; never with *allow_gaps*.
        """
        return self.among(self.load(profile), at, path, allow_gaps=allow_gaps)

    def among(
        self, points: ProfilePoints, at: datetime | ArchiveId | None, path: bytes = b"", *, allow_gaps: bool = False
    ) -> MadePlan:
        """The same of a profile whose *points* are loaded."""
        below = canonical(path)
        if not below:
            if allow_gaps:
                points = self.open.find_damage(points, at)
            try:
                return self._of_archives(points, at)
            except PointNotRestorable:
                pass  # perhaps what is damaged holds nothing that is wanted; and else somebody is to say how much
            except ArchiveCorrupt:
                if not allow_gaps:
                    raise
        opened = self.open.among(points, at, allow_gaps=allow_gaps)
        opened.check(below, allow_gaps=allow_gaps)
        return MadePlan(
            evolve(opened.plan, is_sound=False),
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
        lacks = self.open.opened(plan, archives).lacks if seen.gaps else None  # which names them
        return MadePlan(plan, archives, is_exact, seen.unseen, Counts(seen.gaps), lacks)
