"""
What can be restored of a profile: its links, its points, and what the next dump continues from.

Links and points are never stored; they are worked out anew from what is known of the archives, so an archive that
arrives late or is removed changes them at once. What is dear is comparing the listings of two archives, and the
outcome of that is kept in the catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import pairwise

from attrs import evolve, frozen

from ..archives import ArchiveId, BackupArchive, BackupType, Offer
from ..chains import Fit, FitVerdict, Link, link_archives
from ..errors import AmbiguousType, ArchiveNotFound, ParentMismatch, ProfileNotFound, TarkeepError
from ..points import Plan, RestorePoint, continue_from, plan_restore, restore_points
from ..ports import Catalog
from ..rules import Rules
from ..standing import Fidelity
from .compare import Comparing, has_listings
from .record_members import RecordMembers

_PAGE = 10_000


@frozen
class ListPoints:
    """The restore points of a profile."""

    catalog: Catalog
    members: RecordMembers
    rules: Rules

    def __call__(self, profile: str) -> tuple[RestorePoint, ...]:
        """
        Its points in the order in which they were taken.

        Raises:
            ProfileNotFound: no archive of it is stored.
        """
        archives = self._archives(profile)
        if not archives:
            raise ProfileNotFound(profile)
        return self._points(profile, archives)

    def plan(self, profile: str, at: datetime | ArchiveId | None = None) -> Plan:
        """
        How to restore *profile* as it was at a time, right after an archive was taken, or as late as is known.

        Raises:
            ProfileNotFound, PointNotFound: there is nothing, or nothing at that time.
            PointNotRestorable: it says what stands in the way, and which points are nearest.
        """
        points = self(profile)
        plan = plan_restore(points, at)
        if plan.point.fidelity is not Fidelity.EXACT:
            return plan
        compared = self._compared(profile)
        archives = {point.archive.id: point.archive for point in points}
        path = [archives[id] for id in plan.archives]
        return evolve(plan, is_sound=all(compared(child, parent).is_sound for parent, child in pairwise(path)))

    def named(self, profile: str, types: Sequence[BackupType], name: str) -> ArchiveId:
        """
        The identity of the archive of *profile* with that name, of one of *types*.

        Raises:
            ArchiveNotFound: none has it.
            AmbiguousType: several have.
        """
        found = []
        for type in types:
            with suppress(ArchiveNotFound):
                found.append(self.catalog.find(ArchiveId(profile, type, name)).id)
        if not found:
            raise ArchiveNotFound(f"{profile}/{types[0].value + '/' if len(types) == 1 else ''}{name}")
        if len(found) > 1:
            raise AmbiguousType(name, tuple(id.type for id in found))
        return found[0]

    def of(self, archive: BackupArchive) -> RestorePoint | None:
        """
        The point of *archive*, just stored, where its listings tell what it builds on; None where they do not.

        What is found out is kept, so that nobody has to wait for it later. It raises nothing: the archive is stored.
        """
        if not has_listings(archive):
            return None
        try:
            return next((point for point in self(archive.id.profile) if point.archive.id == archive.id), None)
        except TarkeepError:
            return None

    def base(
        self, profile: str, type: BackupType, before: datetime | None = None, *, with_snapshot: bool = False
    ) -> RestorePoint | None:
        """
        What a dump of *type*, taken after *before* or now, continues from; None where a FULL is due.

        *with_snapshot* looks at points only whose snapshot file is kept here.
        """
        points = [
            point
            for point in self._points(profile, self._archives(profile))
            if (before is None or point.archive.taken_at < before) and (point.archive.has_snapshot or not with_snapshot)
        ]
        id = continue_from(points, type, self.rules.of(profile))
        return next((point for point in points if point.archive.id == id), None)

    def check_lineage(self, offer: Offer, taken_at: datetime | None) -> None:
        """
        Judge what *offer* says it builds on.

        A parent whose snapshot file the dump is known to have started from is always right. Any other must be what the
        rules of the profile continue from, at the time of the dump where that is known.

        Raises:
            ParentMismatch: it is not stored, or not the one to build on.
        """
        if offer.lineage.parent is None:
            return
        parent = ArchiveId(offer.id.profile, *offer.lineage.parent)
        before = offer.lineage.snapshot_before
        points = {point.archive.id: point for point in self._points(parent.profile, self._archives(parent.profile))}
        stated = points.get(parent)
        if stated is not None and before is not None and stated.archive.lineage.snapshot_after == before:
            return
        expected = self.base(parent.profile, offer.id.type, taken_at)
        if expected is None or expected.archive.id != parent:
            found = None if expected is None else expected.archive.id
            raise ParentMismatch(parent, found, is_stored=stated is not None)

    def _points(self, profile: str, archives: list[BackupArchive]) -> tuple[RestorePoint, ...]:
        return restore_points(archives, self._links(profile, archives))

    def _links(self, profile: str, archives: list[BackupArchive]) -> dict[ArchiveId, Link]:
        return link_archives(archives, self.rules.of(profile), self._compared(profile))

    def _compared(self, profile: str) -> Callable[[BackupArchive, BackupArchive], Fit]:
        """What comparing a child with a parent shows, from what was kept or from their listings."""
        known = self.catalog.fits(profile)
        comparing = Comparing(self.members)

        def compared(child: BackupArchive, parent: BackupArchive) -> Fit:
            pair = (child.digests.sha256, parent.digests.sha256)
            if pair not in known:
                comparing.is_certain = True
                found = comparing(child, parent)
                if found.verdict is FitVerdict.UNKNOWN:  # not kept: what cannot be read now may be there again
                    return found
                known[pair] = found
                with suppress(TarkeepError):  # a full disk keeps nobody from seeing what restores
                    self.catalog.keep_fit(profile, *pair, found)
            return known[pair]

        return compared

    def _archives(self, profile: str) -> list[BackupArchive]:
        archives: list[BackupArchive] = []
        cursor = None
        while True:
            page = self.catalog.page(profile=profile, cursor=cursor, limit=_PAGE)
            archives += page.archives
            cursor = page.next_cursor
            if cursor is None:
                return archives
