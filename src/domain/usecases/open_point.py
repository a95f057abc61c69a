"""
The tree at a restore point, merged from the archives of its path, and kept for the next one who asks.

A tree does not change: it belongs to archives that never change. So the few that were asked for last are kept, as many
as hold a bounded number of names together. A plan may be another one whenever an archive of its profile comes, goes or
changes, which the catalog counts; whoever walks a tree page by page has the same as long as nothing did.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import TypeAlias

from attrs import define, evolve, field, frozen

from ..archives import ArchiveId, BackupArchive
from ..chains import SHOWN_BYTES, Evidence
from ..errors import MemberUnreadable, PointNotRestorable, TreeTooLarge
from ..merging import merge
from ..name_table import OpenTable
from ..path_text import path_text
from ..points import Plan
from ..standing import Fidelity
from ..tree import Tree
from ..words import counted
from .points import ListPoints
from .record_members import RecordMembers

Planned: TypeAlias = tuple[Plan, tuple[BackupArchive, ...], PointNotRestorable | None]
"""A plan, the archives of its path, in order, and why it does not restore where some of these are damaged."""


@frozen
class OpenedPoint:
    """
    A point with its tree. *archives* are those of the path, in order; the tree counts them from 0.

    *damage* says why not all of it can be given back: some of the archives are damaged, of which the names are known.
    """

    plan: Plan
    archives: tuple[BackupArchive, ...]
    tree: Tree
    damage: PointNotRestorable | None = None


@define(eq=False)
class KeptTrees:
    """
    The trees used last, as long as they have at most *max_names* names together; one larger is kept alone.

    For several threads at once: each step is one operation of a dictionary.
    """

    max_names: int = 2_000_000
    _trees: dict[tuple[object, ...], Tree] = field(factory=dict, init=False)

    def get(self, key: tuple[object, ...]) -> Tree | None:
        """The tree of *key*, which is then the one used last."""
        tree = self._trees.pop(key, None)
        if tree is not None:
            self._trees[key] = tree
        return tree

    def put(self, key: tuple[object, ...], tree: Tree) -> None:
        """Keep *tree*; those used longest ago may have to go."""
        self._trees[key] = tree
        kept = list(self._trees.items())
        names = sum(len(one) for _, one in kept)
        for oldest, one in kept:
            if names <= self.max_names or oldest == key:
                break
            names -= len(one)
            self._trees.pop(oldest, None)


@define(eq=False)
class KeptPlans:
    """The plans asked for last, with their archives. For several threads at once, like `KeptTrees`."""

    max_plans: int = 8
    _plans: dict[tuple[str, datetime | ArchiveId | None], tuple[int, Planned]] = field(factory=dict, init=False)

    def get(self, profile: str, at: datetime | ArchiveId | None, version: int | None) -> Planned | None:
        """What was kept at *version* of the profile's archives."""
        kept = self._plans.get((profile, at))
        return kept[1] if kept is not None and kept[0] == version else None

    def put(self, profile: str, at: datetime | ArchiveId | None, version: int, planned: Planned) -> None:
        self._plans.pop((profile, at), None)
        self._plans[profile, at] = (version, planned)
        for oldest in list(self._plans)[: -self.max_plans]:
            self._plans.pop(oldest, None)


@frozen
class OpenPoint:
    """Plan a restore and merge its tree."""

    points: ListPoints
    members: RecordMembers
    kept: KeptTrees = field(factory=KeptTrees)
    plans: KeptPlans = field(factory=KeptPlans)

    def __call__(self, profile: str, at: datetime | ArchiveId | None = None) -> OpenedPoint:
        """
        Raises:
            ProfileNotFound, PointNotFound, PointNotRestorable: as `ListPoints.plan`, but for archives that are damaged,
                of which the names are known all the same; the last also for names that none of the archives has.
            ArchiveCorrupt: an archive had to be read and is damaged.
        """
        plan, archives, damage = self._planned(profile, at)
        try:
            return evolve(self.opened(plan, archives), damage=damage)
        except TreeTooLarge as error:
            raise PointNotRestorable(plan.point.archive.id, (str(error),)) from error

    def if_merged(self, profile: str, at: datetime | ArchiveId | None = None) -> OpenedPoint | None:
        """As calling, where the tree is kept; None where it would have to be merged."""
        plan, archives, damage = self._planned(profile, at)
        if self.kept.get(_key(plan, archives)) is None:
            return None
        return evolve(self.opened(plan, archives), damage=damage)

    def opened(self, plan: Plan, archives: tuple[BackupArchive, ...]) -> OpenedPoint:
        """
        The tree of *plan*, which takes *archives*.

        Raises:
            PointNotRestorable: none of the archives has certain names, or a listing that matters is malformed.
            TreeTooLarge: it has more names than can be held.
            ArchiveCorrupt: an archive had to be read and is damaged.
        """
        try:
            tree = self._tree(plan, archives)
        except MemberUnreadable as error:
            raise PointNotRestorable(plan.point.archive.id, (str(error),)) from error
        if tree.losses:
            lost = [gap for gap in tree.gaps if gap.kind.is_loss]
            shown = ", ".join(path_text(gap.path[:SHOWN_BYTES]) for gap in lost[:5])
            reason = (
                f"{counted(tree.losses, 'name')} {'is' if tree.losses == 1 else 'are'} in none of its archives: {shown}"
            )
            raise PointNotRestorable(plan.point.archive.id, (reason,))
        return OpenedPoint(plan, archives, tree)

    def _planned(self, profile: str, at: datetime | ArchiveId | None) -> Planned:
        version = self.points.links.version(profile)  # before what is planned: what changes meanwhile counts
        planned = self.plans.get(profile, at, version)
        if planned is None:
            damage: PointNotRestorable | None = None
            try:
                plan = self.points.plan(profile, at)
            except PointNotRestorable as error:
                damage = error
                plan = self.points.plan(profile, at, despite_damage=True)
            planned = plan, plan.point.archives, damage
            if version is not None:
                self.plans.put(profile, at, version, planned)
        return planned

    def _tree(self, plan: Plan, archives: tuple[BackupArchive, ...]) -> Tree:
        key = _key(plan, archives)
        tree = self.kept.get(key)
        if tree is not None:
            return tree
        with self.points.links.turns.take(f"tree at {plan.point.archive.id}"):
            tree = self.kept.get(key)  # merged by whoever had the turn before
            if tree is None:
                limit_bytes = self.members.max_names_bytes
                tables = [self._table(archive, before) for before, archive in pairwise((None, *archives))]
                tree = self.members.again(lambda: merge(tables, *_sort(plan), limit_bytes))
                self.kept.put(key, tree)
        return tree

    def _table(self, archive: BackupArchive | None, before: BackupArchive | None) -> OpenTable:
        assert archive is not None
        return lambda: self.members.table(archive, before)


def _key(plan: Plan, archives: tuple[BackupArchive, ...]) -> tuple[object, ...]:
    return (*_sort(plan), *(archive.digests.sha256 for archive in archives))


def _sort(plan: Plan) -> tuple[bool, bool]:
    """How `merge` goes about it: whether the point is exact, and whether what is in no archive was left out."""
    is_left_out = plan.point.evidence is Evidence.PROVEN or plan.point.standing.is_whole
    return plan.point.fidelity is Fidelity.EXACT, is_left_out
