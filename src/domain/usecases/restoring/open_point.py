"""
The tree at a restore point, merged from the archives of its path, and cached for later requests.

A tree never changes, because its archives never change. So the most recently used trees are cached, up to a bounded
number of names in total. A plan can change whenever an archive of its profile comes, goes or changes; the catalog
counts these events. A client that walks a tree page by page sees the same tree until such an event.
"""

from __future__ import annotations

from collections.abc import Set
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from typing import TypeAlias

from attrs import define, evolve, field, frozen

from ...archives.archive import ArchiveState, BackupArchive
from ...chains.points import Plan
from ...chains.seen import lost_names
from ...errors.archives import ArchiveCorrupt
from ...errors.content import MemberUnreadable
from ...errors.restoring import PathNotFound, PointNotRestorable, TreeTooLarge
from ...identity.archive_id import ArchiveId
from ...names.name_table import OpenTable
from ...tar.paths import canonical
from ...tarkeep_error import TarkeepError
from ...text.counted import counted
from ...text.lack_counts import Counts
from ...trees.lacks import Lacks
from ...trees.merging import merge
from ...trees.tree import Tree
from ..reading.archive_members import ArchiveMembers
from ..reading.examiner import Examiner
from .find_way import FindWay, Way, way_of
from .load_points import LoadPoints, LoadSettledPoints, ProfilePoints

Asked: TypeAlias = tuple[str, datetime | ArchiveId | None, bool]
"""A profile, a time, and whether names may lack."""


@frozen
class OpenedPoint:
    """
    A point with its tree, as merged from *way*; the tree numbers its archives from 0.

    *damage* says why the point cannot be restored whole, and *lacks* which names are affected.
    """

    way: Way
    tree: Tree
    lacks: Lacks
    damage: PointNotRestorable | None = None

    @property
    def plan(self) -> Plan:
        return self.way.plan

    @property
    def archives(self) -> tuple[BackupArchive, ...]:
        """The archives that the tree is merged from, in order."""
        return self.way.archives

    def count(self, path: bytes = b"") -> Counts:
        """How many names lack at and below *path*. The count for the whole tree is cached."""
        below = canonical(path)
        found = self.way.counts.get(below)
        if found is None:
            found = self.lacks.count(below)
            if not below:
                self.way.counts[below] = found
        return found

    def check(self, path: bytes = b"", *, allow_gaps: bool = False) -> None:
        """
        Check that *path* exists and can be given back, apart from members that cannot be extracted; with *allow_gaps*,
        without the names that lack.

        Raises:
            PathNotFound: the tree does not have *path*.
            PointNotRestorable: names lack, and *allow_gaps* is false; the error counts them.
        """
        below = canonical(path)
        if below and self.tree.entry(below) is None and not self.lacks.has(below):
            raise PathNotFound(below)
        if self.damage is None or allow_gaps:
            return
        names: dict[ArchiveId, int] = {}
        others = 0
        for lack in self.lacks.all(below):
            if lack.archive is not None:
                names[lack.archive] = names.get(lack.archive, 0) + 1
            elif not lack.kind.is_in_vain:
                others += 1
        if names or others:
            told = (
                f"{counted(count, 'requested name')} {'is' if count == 1 else 'are'} in {id}; "
                "other paths can be restored"
                for id, count in names.items()
            )
            raise evolve(self.damage, reasons=(*self.damage.reasons, *told), lacks=self.count(below))


@define(eq=False)
class KeptTrees:
    """
    The most recently used trees, with at most *max_names* names in total; a larger tree is cached alone.

    Safe for several threads at once: each step is one operation on a dictionary.
    """

    max_names: int = 2_000_000
    _trees: dict[tuple[object, ...], Tree] = field(factory=dict, init=False)

    def get(self, key: tuple[object, ...]) -> Tree | None:
        """The tree of *key*, which becomes the most recently used."""
        tree = self._trees.pop(key, None)
        if tree is not None:
            self._trees[key] = tree
        return tree

    def put(self, key: tuple[object, ...], tree: Tree) -> None:
        """Cache *tree*; the least recently used trees may be dropped."""
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
    """The latest plans, with their archives. Safe for several threads at once, like `KeptTrees`."""

    max_plans: int = 8
    _plans: dict[Asked, tuple[int, Way]] = field(factory=dict, init=False)

    def get(self, asked: Asked, version: int | None) -> Way | None:
        """The way that was cached at *version* of the profile's archives, or None."""
        kept = self._plans.get(asked)
        return kept[1] if kept is not None and kept[0] == version else None

    def put(self, asked: Asked, version: int, way: Way) -> None:
        self._plans.pop(asked, None)
        self._plans[asked] = (version, way)
        for oldest in list(self._plans)[: -self.max_plans]:
            self._plans.pop(oldest, None)


@frozen
class PointTrees:
    """
    The trees of points, planned, merged and cached for everything that looks at points or restores them.

    No use case: a plan needs a tree only at times, and may have been given already.
    """

    load: LoadPoints
    members: ArchiveMembers
    examiner: Examiner
    kept: KeptTrees = field(factory=KeptTrees)
    plans: KeptPlans = field(factory=KeptPlans)

    def open(self, points: ProfilePoints, at: datetime | ArchiveId | None, *, allow_gaps: bool = False) -> OpenedPoint:
        """
        The one of *points* that *at* asks for, with its tree. Names may lack only with *allow_gaps*, or if they are in
        damaged archives whose names are known.

        Raises:
            ProfileNotFound, PointNotFound: as `ProfilePoints.plan`.
            PointNotRestorable: as `ProfilePoints.plan`, and for names that no archive has; with *allow_gaps* only if
                the names of the point are unknown or too many.
            ArchiveCorrupt: an archive that had to be read is damaged, and that could not be recorded.
        """
        if allow_gaps:
            return self._despite_gaps(points, at)
        try:
            return self._opened_whole(points, at)
        except PointNotRestorable as error:
            raise self._counted(error, points, at) from error
        except ArchiveCorrupt as error:  # the damage is recorded by now
            points = self.load(points.profile)
            refusal = FindWay(points).whole(at).refusal
            if refusal is None:
                raise
            raise self._counted(refusal, points, at) from error

    def _counted(
        self, refusal: PointNotRestorable, points: ProfilePoints, at: datetime | ArchiveId | None
    ) -> PointNotRestorable:
        """*refusal* with the number of names that would lack with *allow_gaps*, if that can be determined."""
        with suppress(TarkeepError):
            return evolve(refusal, lacks=self._despite_gaps(points, at).count())
        return refusal

    def find_damage(self, points: ProfilePoints, at: datetime | ArchiveId | None) -> ProfilePoints:
        """
        Check that the files of all archives exist with their sizes. Missing ones are recorded as damaged, and count as
        such in the returned points.

        Raises:
            ProfileNotFound, PointNotFound, PointNotRestorable: as `open` with *allow_gaps*.
        """
        stored = [one for one in FindWay(points).broken(at).archives if one.state is not ArchiveState.DAMAGED]
        are_there = [self.examiner.is_there(archive) for archive in stored]
        return points if all(are_there) else self.load(points.profile)

    def has(self, points: ProfilePoints, at: datetime | ArchiveId | None, *, allow_gaps: bool = False) -> bool:
        """Whether the tree that `open` gives is cached; otherwise it would have to be merged."""
        way = self.plans.get((points.profile, at, allow_gaps), points.version)
        return way is not None and self.kept.get(_key(way)) is not None

    def of_plan(self, plan: Plan, archives: tuple[BackupArchive, ...]) -> OpenedPoint:
        """
        The tree of *plan*, merged from *archives*.

        Raises:
            PointNotRestorable: some names are in no archive, or a listing that matters is malformed.
            TreeTooLarge: the tree has more names than can be held.
            ArchiveCorrupt: an archive that had to be read is damaged.
        """
        try:
            opened = self._opened(way_of(plan, archives))
        except MemberUnreadable as error:
            raise PointNotRestorable(plan.point.archive.id, (str(error),)) from error
        if opened.tree.losses:
            raise _lost(opened)
        return opened

    def _opened_whole(self, points: ProfilePoints, at: datetime | ArchiveId | None) -> OpenedPoint:
        asked = (points.profile, at, False)
        way = self.plans.get(asked, points.version)
        if way is None:
            way = FindWay(points).whole(at)
            if points.version is not None:
                self.plans.put(asked, points.version, way)
        opened = self._opened_or_refused(way)
        if opened.tree.losses:
            raise way.refusal or _lost(opened)
        return opened

    def _despite_gaps(self, points: ProfilePoints, at: datetime | ArchiveId | None) -> OpenedPoint:
        asked = (points.profile, at, True)
        kept = self.plans.get(asked, points.version)
        if kept is not None:
            with suppress(ArchiveCorrupt):
                return self._opened_with_damage(kept)
        points = self.find_damage(points, at)
        unread: Set[ArchiveId] = frozenset()
        while True:
            way = FindWay(points).broken(at, unread)
            try:
                opened = self._opened_with_damage(way)
            except ArchiveCorrupt as error:  # and its records are lost
                if error.id in unread:
                    raise
                unread |= {error.id}
                points = self.load(points.profile)
                continue
            if points.version is not None:
                self.plans.put(asked, points.version, way)
            return opened

    def _opened_with_damage(self, way: Way) -> OpenedPoint:
        opened = self._opened_or_refused(way)
        if opened.damage is None and opened.tree.losses:
            return evolve(opened, damage=_lost(opened))
        return opened

    def _opened_or_refused(self, way: Way) -> OpenedPoint:
        try:
            return self._opened(way)
        except (TreeTooLarge, MemberUnreadable) as error:
            earlier = way.refusal or PointNotRestorable(way.plan.point.archive.id, ())
            raise evolve(earlier, reasons=(*earlier.reasons, str(error))) from error

    def _opened(self, way: Way) -> OpenedPoint:
        tree = self._tree(way)
        lacks = Lacks(tree, way.archives, way.damaged, way.certain_from, way.is_broken)
        return OpenedPoint(way, tree, lacks, way.refusal)

    def _tree(self, way: Way) -> Tree:
        key = _key(way)
        tree = self.kept.get(key)
        if tree is not None:
            return tree
        with self.load.links.turns.take(f"tree at {way.plan.point.archive.id}"):
            tree = self.kept.get(key)  # merged by the thread that had the turn before
            if tree is None:
                limit_bytes = self.members.max_names_bytes
                tables = [self._table(archive, before) for before, archive in pairwise((None, *way.archives))]
                tree = self.members.again(
                    lambda: merge(
                        tables,
                        way.is_exact,
                        way.is_left_out,
                        limit_bytes,
                        lambda index: self.members.parts(way.archives[index]),
                    )
                )
                self.kept.put(key, tree)
        return tree

    def _table(self, archive: BackupArchive | None, before: BackupArchive | None) -> OpenTable:
        assert archive is not None
        return lambda: self.members.table(archive, before)


@frozen
class OpenPoint:
    """Plan a restore and merge its tree."""

    load: LoadPoints
    trees: PointTrees

    def __call__(
        self, profile: str, at: datetime | ArchiveId | None = None, *, allow_gaps: bool = False
    ) -> OpenedPoint:
        """The point of *profile* with its tree. Raises like `PointTrees.open`."""
        return self.trees.open(self.load(profile), at, allow_gaps=allow_gaps)


@frozen
class RecallPoint:
    """Open a point whose tree is cached."""

    load: LoadSettledPoints
    trees: PointTrees

    def __call__(
        self, profile: str, at: datetime | ArchiveId | None = None, *, allow_gaps: bool = False
    ) -> OpenedPoint | None:
        """Like `OpenPoint`; None if the tree would have to be merged, or links of *profile* are pending."""
        points = self.load(profile)
        if points is None or not self.trees.has(points, at, allow_gaps=allow_gaps):
            return None
        return self.trees.open(points, at, allow_gaps=allow_gaps)


def _lost(opened: OpenedPoint) -> PointNotRestorable:
    """The error for a point with names that no archive has."""
    return PointNotRestorable(opened.plan.point.archive.id, (lost_names(opened.tree),))


def _key(way: Way) -> tuple[object, ...]:
    return (way.is_exact, way.is_left_out, *(archive.digests.sha256 for archive in way.archives))
