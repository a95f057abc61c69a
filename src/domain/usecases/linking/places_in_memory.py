"""Places that were worked out for one request, for when they cannot be kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from attrs import define, field

from ...chains.kept_links import PlacedPage
from ...chains.standing import PlacedArchive, way_to
from ...identity.archive_id import ArchiveId, BackupType

_ALL_TYPES = tuple(BackupType)


@define(eq=False)
class PlacesInMemory:
    """`Places` of one profile, from all of its places in order. A cursor is the position where the next page begins."""

    _ordered: Sequence[PlacedArchive]
    _by_id: dict[ArchiveId, PlacedArchive] = field(init=False)

    @_by_id.default
    def _known(self) -> dict[ArchiveId, PlacedArchive]:
        return {place.archive.id: place for place in self._ordered}

    def places(self, profile: str, *, cursor: str | None = None, limit: int = 100) -> PlacedPage:
        del profile
        start = 0 if cursor is None else int(cursor)
        found = tuple(self._ordered[start : start + limit])
        return PlacedPage(found, str(start + limit) if len(self._ordered) > start + limit else None)

    def placed(self, ids: Iterable[ArchiveId]) -> dict[ArchiveId, PlacedArchive]:
        return {id: self._by_id[id] for id in ids if id in self._by_id}

    def path(self, id: ArchiveId) -> list[PlacedArchive]:
        return way_to(id, self._by_id.get)

    def newest_place(
        self,
        profile: str,
        *,
        types: Sequence[BackupType] = _ALL_TYPES,
        until: datetime | None = None,
        before: datetime | None = None,
        is_restorable: bool = False,
        has_snapshot: bool = False,
        not_ahead: bool = False,
    ) -> PlacedArchive | None:
        del profile
        for place in reversed(self._ordered):
            archive = place.archive
            if (
                archive.id.type in types
                and (until is None or archive.placed_at <= until)
                and (before is None or archive.placed_at < before)
                and (archive.has_snapshot or not has_snapshot)
                and not (not_ahead and archive.is_dated_ahead)
                and (not is_restorable or (place.standing is not None and place.standing.is_restorable))
            ):
                return place
        return None
