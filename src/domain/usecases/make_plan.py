"""
What it takes to restore a point, judged: the archives, whether tar may be trusted with them, and whether all is there.

That no name is missing is mostly known from comparing each archive with the one before it, and is part of the point's
standing. Only where it is not, the tree is merged to see; a tree that is too large for that keeps nobody from the plan.
"""

from __future__ import annotations

from datetime import datetime

from attrs import evolve, frozen

from ..archives import ArchiveId, BackupArchive
from ..errors import TreeTooLarge
from ..points import Plan
from ..standing import Fidelity
from ..tree import Gap
from .judge_plan import JudgePlan
from .open_point import OpenPoint
from .points import ListPoints


@frozen
class MadePlan:
    """
    *plan* with its *archives*, in order. *unseen* says why nobody could see whether all names are there, if so.

    *gaps* counts names that the archives have and that nobody could extract, as far as the tree was merged to see;
    *in_vain* are the first of them.
    """

    plan: Plan
    archives: tuple[BackupArchive, ...]
    unseen: str = ""
    gaps: int = 0
    in_vain: tuple[Gap, ...] = ()


@frozen
class MakePlan:
    """Plan a restore without the tree, wherever that is possible."""

    points: ListPoints
    judge: JudgePlan
    open: OpenPoint

    def __call__(self, profile: str, at: datetime | ArchiveId | None = None) -> MadePlan:
        """
        Cost: that of the path, and of its tree where comparing did not tell that it is whole.

        Raises:
            ProfileNotFound, PointNotFound, PointNotRestorable: as `OpenPoint`, but for trees that are too large.
            ArchiveCorrupt: an archive had to be read and is damaged.
        """
        plan = self.points.plan(profile, at)
        archives = plan.point.archives
        judged = self.judge(plan, archives)
        is_whole = plan.point.fidelity is Fidelity.EXACT and plan.point.standing.is_whole
        # What tar is not to be trusted with may hold paths that no tree has room for.
        if is_whole and not judged.objection:
            return MadePlan(judged, archives)
        try:
            tree = self.open.opened(plan, archives).tree
        except TreeTooLarge as error:
            return MadePlan(judged, archives, str(error))
        if tree.in_vain:  # tar would complain of these in the middle of the restore
            judged = evolve(judged, is_sound=False)
        return MadePlan(judged, archives, "", tree.in_vain, tree.named_in_vain())
