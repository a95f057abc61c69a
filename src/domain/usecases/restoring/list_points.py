"""
What can be restored of a profile: its points, the way to each, and what the next dump continues from.

Links and standings are kept (see `link`), so each question reads what it is about and no more: a page of points, the
path of one, the newest that restores. Where they cannot be kept, as on a full disk, they are worked out for the one who
asks: that keeps nobody from seeing what restores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from attrs import frozen

from ...archives.archive import ArchiveState, BackupArchive, Kind, Offer
from ...chains.kept_links import PlacedPage, Places
from ...chains.link import Link
from ...chains.links import base_types
from ...chains.passed_over import PassedOver, passed_over
from ...chains.points import Plan, RestorePoint, plan_restore, restore_points
from ...chains.standing import PlacedArchive
from ...comparing.fit import Compatibility
from ...errors.archives import AmbiguousType, ArchiveNotFound, ProfileNotFound
from ...errors.capacity import BackendUnavailable, CatalogBusy, InsufficientStorage, ReadOnly
from ...errors.restoring import ParentMismatch, PointNotFound
from ...identity.archive_id import ArchiveId, BackupType
from ...ports.catalog import Catalog
from ...profiles.rules import Rules
from ..linking.link_profile import LinkArchives
from ..linking.places_in_memory import PlacesInMemory

_PAGE = 10_000
_TRIES = 3  # for what is known to be whole while archives come and go
_CANNOT_KEEP = (InsufficientStorage, ReadOnly, CatalogBusy, BackendUnavailable)


@frozen
class ListPoints:
    """The restore points of a profile."""

    catalog: Catalog
    links: LinkArchives
    rules: Rules

    def __call__(self, profile: str) -> tuple[RestorePoint, ...]:
        """
        All its points in the order in which they were taken.

        Raises:
            ProfileNotFound: no archive of it is stored.
        """
        found = self._told(profile, lambda places: list(_every(places, profile)))
        if not found:
            raise ProfileNotFound(profile)
        return points_of(found)

    def page(self, profile: str, cursor: str | None = None, limit: int = 100) -> PlacedPage:
        """
        At most *limit* of its points in the order in which they were taken, from *cursor* on.

        Cost: that of the page.

        Raises:
            ProfileNotFound: no archive of it is stored.
            ValueError: *cursor* is not one that a page gave out.
        """
        told: list[PlacedPage] = []

        def read(places: Places) -> Sequence[PlacedArchive]:
            told[:] = [places.places(profile, cursor=cursor, limit=limit)]
            return told[0].places

        if not self._told(profile, read):
            if cursor is None:
                raise ProfileNotFound(profile)
            self.page(profile, limit=1)
        return told[0]

    def point(self, id: ArchiveId) -> RestorePoint:
        """
        The point of one archive, with its path.

        Raises:
            PointNotFound: no such archive is stored.
        """
        path = self._told(id.profile, lambda places: places.path(id))
        if not path:
            raise PointNotFound(at=id.label, earliest=None)
        return next(point for point in points_of(path) if point.archive.id == id)

    def compared(self, point: RestorePoint) -> Compatibility | None:
        """How its archive compares with the one that it builds on; None where it builds on nothing."""
        before = next((one for one in point.archives if one.id == point.link.parent), None)
        return None if before is None else self.links.compared(point.archive, before)

    def plan(self, profile: str, at: datetime | ArchiveId | None = None, *, despite_damage: bool = False) -> Plan:
        """
        How to restore *profile* as it was at a time, right after an archive was taken, or as late as is known.

        With *despite_damage* also where all that stands in the way are archives that are damaged, or names that none of
        the archives has.

        Cost: that of the path.

        Raises:
            ProfileNotFound, PointNotFound: there is nothing, or nothing at that time.
            PointNotRestorable: it says what stands in the way, and which points are nearest.
        """

        found = self.way(profile, at)
        if _is_restorable(found, despite_damage):
            point = last_of(found)
            return Plan(point, point.path, point.standing.is_sound, point.standing.seen.objection)
        return plan_restore(self(profile), at)

    def way(self, profile: str, at: datetime | ArchiveId | None = None) -> Sequence[PlacedArchive]:
        """The path of the point that `plan` would be for, as far back as it is known; empty where there is no point."""

        def path(places: Places) -> list[PlacedArchive]:
            if isinstance(at, ArchiveId):
                return places.path(at)
            newest = places.newest_place(profile, until=at)
            return [] if newest is None else places.path(newest.archive.id)

        return self._told(profile, path)

    def passed_over(self, profile: str, at: datetime | ArchiveId | None = None) -> tuple[PassedOver, ...]:
        """What `plan` passed over in choosing a point by a time; nothing where it was asked for by its archive."""
        if isinstance(at, ArchiveId):
            return ()
        return passed_over(self.catalog, profile, at, self.rules.of(profile).time_zone)

    def way_before(self, archive: BackupArchive) -> Sequence[PlacedArchive]:
        """
        The path of the newest archive before *archive* that it could build on by rule.

        It is empty if no such archive is stored.
        """
        types = base_types(archive.id.type, self.rules.of(archive.id.profile))

        def path(places: Places) -> list[PlacedArchive]:
            newest = places.newest_place(archive.id.profile, types=types, before=archive.placed_at)
            return [] if newest is None else places.path(newest.archive.id)

        return self._told(archive.id.profile, path) if types else ()

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

    def of(self, archive: BackupArchive) -> PlacedArchive | None:
        """
        The place of *archive*, just stored; None of what cannot be looked into, and where it takes too long to tell.

        What is found out is kept, so that nobody has to wait for it later. It raises nothing: the archive is stored.
        """
        contents = archive.contents
        return None if contents is None or contents.kind is Kind.OPAQUE else self.links.place(archive)

    def base(
        self, profile: str, type: BackupType, before: datetime | None = None, *, with_snapshot: bool = False
    ) -> PlacedArchive | None:
        """
        What a dump of *type*, taken after *before* or now, continues from; None where a FULL is due.

        It is the newest point that restores and that the rules let it extend. *with_snapshot* looks at those only whose
        snapshot file is kept here. None is dated ahead of its receipt: to GNU tar, what is older than that time is
        unchanged.
        """
        types = base_types(type, self.rules.of(profile))

        def read(places: Places) -> list[PlacedArchive]:
            newest = places.newest_place(
                profile, types=types, before=before, is_restorable=True, has_snapshot=with_snapshot, not_ahead=True
            )
            return [] if newest is None else [newest]

        found = self._told(profile, read) if types else []
        return found[0] if found else None

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
        stated = self.catalog.placed([parent]).get(parent)
        if stated is not None and before is not None and stated.archive.lineage.snapshot_after == before:
            return
        expected = self.base(parent.profile, offer.id.type, taken_at)
        if expected is None or expected.archive.id != parent:
            found = None if expected is None else expected.archive.id
            raise ParentMismatch(parent, found, is_stored=stated is not None)

    def _told(self, profile: str, read: Callable[[Places], Sequence[PlacedArchive]]) -> Sequence[PlacedArchive]:
        """What *read* finds among places that are all worked out."""
        for _ in range(_TRIES):
            try:
                self.links(profile)
            except _CANNOT_KEEP:
                break
            found = read(self.catalog)
            if all(place.link is not None and place.standing is not None for place in found):
                return found
        return read(PlacesInMemory(self.links.in_memory(profile)))


def _every(places: Places, profile: str) -> Iterator[PlacedArchive]:
    cursor = None
    while True:
        page = places.places(profile, cursor=cursor, limit=_PAGE)
        yield from page.places
        cursor = page.next_cursor
        if cursor is None:
            return


def _is_restorable(path: Sequence[PlacedArchive], despite_damage: bool) -> bool:
    """Whether the point at the end of *path* restores, but for damage and missing names, if *despite_damage*."""
    standing = path[-1].standing if path else None
    if standing is None:
        return False
    if not despite_damage:
        return standing.is_restorable
    return standing.obstructions == sum(place.archive.state is ArchiveState.DAMAGED for place in path)


def last_of(places: Sequence[PlacedArchive]) -> RestorePoint:
    """The point at the end of a path, whatever times its archives have: one may say to be older than its parent."""
    return next(point for point in points_of(places) if point.archive.id == places[-1].archive.id)


def points_of(places: Sequence[PlacedArchive]) -> tuple[RestorePoint, ...]:
    """The points of *places*, which have all that these build on."""
    links: dict[ArchiveId, Link] = {place.archive.id: place.link for place in places if place.link is not None}
    seen = {place.archive.id: place.standing.seen for place in places if place.standing is not None}
    return restore_points([place.archive for place in places], links, seen)
