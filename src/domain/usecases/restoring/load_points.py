"""
What can be restored of a profile: its points, the path of each, and what the next dump continues from.

Links and standings are kept (see `link`), so each query reads only what it needs: a page of points, the path of one,
the newest that restores. Each request loads a profile once for all its queries. If links cannot be kept, as on a full
disk, they are worked out for the one request: a full disk must not hide what restores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache

from attrs import define, frozen

from ...archives.archive import ArchiveState, BackupArchive, Offer
from ...chains.kept_links import PlacedPage, Places
from ...chains.link import Link
from ...chains.links import base_types
from ...chains.passed_over import PassedOver, passed_over
from ...chains.points import Plan, RestorePoint, plan_restore, restore_points
from ...chains.standing import PlacedArchive
from ...errors.archives import ProfileNotFound
from ...errors.capacity import BackendUnavailable, CatalogBusy, InsufficientStorage, ReadOnly
from ...errors.restoring import ParentMismatch, PointNotFound
from ...identity.archive_id import ArchiveId, BackupType
from ...ports.catalog import Catalog
from ...profiles.rules import ProfileRules, Rules
from ..linking.places_in_memory import PlacesInMemory
from ..linking.profile_links import ProfileLinks

_PAGE = 10_000
_TRIES = 3  # attempts to read a consistent result while archives come and go
CANNOT_KEEP = (InsufficientStorage, ReadOnly, CatalogBusy, BackendUnavailable)


@define(eq=False)
class ProfilePoints:
    """
    The loaded points of one profile: its links are worked out, and each query reads only what it needs.

    *version* is that of the profile's archives when it was loaded; None if links cannot be kept. If an archive that
    changes an answer arrives later, its links are worked out as well before the answer is given.
    """

    profile: str
    version: int | None
    _rules: ProfileRules
    _kept: Places | None
    _work_out: Callable[[], object]
    _in_memory: Callable[[], Places]

    def all(self) -> tuple[RestorePoint, ...]:
        """
        All points in the order in which their archives were taken.

        Raises:
            ProfileNotFound: the profile has no stored archive.
        """
        return points_of(self.places())

    def places(self) -> Sequence[PlacedArchive]:
        """
        All archives in the order in which they were taken, each with its link and, if it could be found out, standing.

        Raises:
            ProfileNotFound: the profile has no stored archive.
        """
        found = self._told(lambda places: list(_every(places, self.profile)))
        if not found:
            raise ProfileNotFound(self.profile)
        return found

    def page(self, cursor: str | None = None, limit: int = 100) -> PlacedPage:
        """
        At most *limit* points in the order in which their archives were taken, from *cursor* on.

        Cost: grows with the page only.

        Raises:
            ProfileNotFound: the profile has no stored archive.
            ValueError: *cursor* does not come from a page.
        """
        told: list[PlacedPage] = []

        def read(places: Places) -> Sequence[PlacedArchive]:
            told[:] = [places.places(self.profile, cursor=cursor, limit=limit)]
            return told[0].places

        if not self._told(read):
            if cursor is None:
                raise ProfileNotFound(self.profile)
            self.page(limit=1)
        return told[0]

    def point(self, id: ArchiveId) -> RestorePoint:
        """
        The point of one archive of the profile, with its path.

        Raises:
            PointNotFound: the archive is not stored.
        """
        path = self._told(lambda places: places.path(id))
        if not path:
            raise PointNotFound(at=id.label, earliest=None)
        return next(point for point in points_of(path) if point.archive.id == id)

    def plan(self, at: datetime | ArchiveId | None = None, *, despite_damage: bool = False) -> Plan:
        """
        How to restore the profile as it was at a time, right after an archive was taken, or at the latest point.

        With *despite_damage*, damaged archives and names that no archive has are no obstacles.

        Cost: grows with the length of the path.

        Raises:
            ProfileNotFound, PointNotFound: the profile has no point, or none at that time.
            PointNotRestorable: the point has obstacles; the error names them, and the nearest points.
        """
        found = self.way(at)
        if _is_restorable(found, despite_damage):
            point = last_of(found)
            return Plan(point, point.path, point.standing.distrust, point.standing.seen.objection)
        return plan_restore(self.all(), at)

    def way(self, at: datetime | ArchiveId | None = None) -> Sequence[PlacedArchive]:
        """The path of the point that `plan` would choose, as far back as it is known; empty if it finds no point."""

        def path(places: Places) -> list[PlacedArchive]:
            if isinstance(at, ArchiveId):
                return places.path(at)
            newest = places.newest_place(self.profile, until=at, not_ahead=True)
            newest = newest or places.newest_place(self.profile, until=at)
            return [] if newest is None else places.path(newest.archive.id)

        return self._told(path)

    def passed_over(self, at: datetime | ArchiveId | None = None) -> tuple[PassedOver, ...]:
        """The points that `plan` passes over when choosing by time; empty when *at* names an archive."""
        if isinstance(at, ArchiveId):
            return ()
        return passed_over(self._places(), self.profile, at, self._rules.time_zone)

    def way_before(self, archive: BackupArchive) -> Sequence[PlacedArchive]:
        """
        The path of the newest archive before *archive* that it could build on by rule.

        Empty if no such archive is stored.
        """
        types = base_types(archive.id.type, self._rules)

        def path(places: Places) -> list[PlacedArchive]:
            newest = places.newest_place(self.profile, types=types, before=archive.placed_at)
            return [] if newest is None else places.path(newest.archive.id)

        return self._told(path) if types else ()

    def base(
        self, type: BackupType, before: datetime | None = None, *, with_snapshot: bool = False
    ) -> PlacedArchive | None:
        """
        What a dump of *type*, taken after *before* or now, continues from; None if a FULL is due.

        It is the newest restorable point that the rules allow as parent. *with_snapshot* considers only points whose
        snapshot file is kept. A point dated after its own receipt is never chosen: GNU tar would take everything older
        than that date as unchanged.
        """
        types = base_types(type, self._rules)

        def read(places: Places) -> list[PlacedArchive]:
            newest = places.newest_place(
                self.profile, types=types, before=before, is_restorable=True, has_snapshot=with_snapshot, not_ahead=True
            )
            return [] if newest is None else [newest]

        found = self._told(read) if types else []
        return found[0] if found else None

    def check_lineage(self, offer: Offer, taken_at: datetime | None) -> None:
        """
        Judge the parent that *offer* declares.

        A parent whose snapshot file the dump is known to have started from is always right. Any other must be the
        archive that the rules of the profile continue from, at the time of the dump if that is known.

        Raises:
            ParentMismatch: the parent is not stored, or is not the one to build on.
        """
        if offer.lineage.parent is None:
            return
        parent = ArchiveId(self.profile, *offer.lineage.parent)
        before = offer.lineage.snapshot_before
        stated = self._places().placed([parent]).get(parent)
        if stated is not None and before is not None and stated.archive.lineage.snapshot_after == before:
            return
        expected = self.base(offer.id.type, taken_at)
        if expected is None or expected.archive.id != parent:
            found = None if expected is None else expected.archive.id
            raise ParentMismatch(parent, found, is_stored=stated is not None)

    def _told(self, read: Callable[[Places], Sequence[PlacedArchive]]) -> Sequence[PlacedArchive]:
        """What *read* finds among fully worked out places."""
        for _ in range(_TRIES):
            if self._kept is None:
                break
            found = read(self._kept)
            if all(place.link is not None and place.standing is not None for place in found):
                return found
            try:
                self._work_out()
            except CANNOT_KEEP:
                self._kept = None
        return read(self._in_memory())

    def _places(self) -> Places:
        return self._in_memory() if self._kept is None else self._kept


@frozen
class LoadPoints:
    """Load the points of a profile."""

    catalog: Catalog
    links: ProfileLinks
    rules: Rules

    def __call__(self, profile: str) -> ProfilePoints:
        """
        The points of *profile*, after working out all its links; empty for a profile without archives.

        Cost: one query of the catalog, if no link is pending.
        """
        try:
            return _loaded(self, profile, self.links.update(profile), self.catalog)
        except CANNOT_KEEP:
            return _loaded(self, profile, None, None)


@frozen
class LoadSettledPoints:
    """Load the points of a profile only if that needs no work."""

    load: LoadPoints

    def __call__(self, profile: str) -> ProfilePoints | None:
        """The points of *profile* if none of its links is pending, else None."""
        version = self.load.links.version(profile)
        return None if version is None else _loaded(self.load, profile, version, self.load.catalog)


def _loaded(load: LoadPoints, profile: str, version: int | None, kept: Places | None) -> ProfilePoints:
    links = load.links
    in_memory = cache(lambda: PlacesInMemory(links.in_memory(profile)))
    return ProfilePoints(profile, version, load.rules.of(profile), kept, lambda: links.update(profile), in_memory)


def _every(places: Places, profile: str) -> Iterator[PlacedArchive]:
    cursor = None
    while True:
        page = places.places(profile, cursor=cursor, limit=_PAGE)
        yield from page.places
        cursor = page.next_cursor
        if cursor is None:
            return


def _is_restorable(path: Sequence[PlacedArchive], despite_damage: bool) -> bool:
    """Whether the point at the end of *path* restores; *despite_damage* ignores damage and missing names."""
    standing = path[-1].standing if path else None
    if standing is None:
        return False
    if not despite_damage:
        return standing.is_restorable
    return standing.obstructions == sum(place.archive.state is ArchiveState.DAMAGED for place in path)


def last_of(places: Sequence[PlacedArchive]) -> RestorePoint:
    """The point at the end of a path, whatever its times: an archive may claim to be older than its parent."""
    return next(point for point in points_of(places) if point.archive.id == places[-1].archive.id)


def points_of(places: Sequence[PlacedArchive]) -> tuple[RestorePoint, ...]:
    """The points of *places*, which must contain all their parents."""
    links: dict[ArchiveId, Link] = {place.archive.id: place.link for place in places if place.link is not None}
    seen = {place.archive.id: place.standing.seen for place in places if place.standing is not None}
    return restore_points([place.archive for place in places], links, seen)
