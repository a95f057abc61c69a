"""Figures of profiles, from a catalog in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from attrs import frozen

from ....domain.archives.archive import ArchiveState
from ....domain.archives.totals import Totals
from ....domain.chains.kept_links import KeptLinks
from ....domain.drills.drill import Drill, DrillKind
from ....domain.ports.upkeep.drills import DrillTable
from ....domain.ports.upkeep.scrubs import ScrubTable
from ....domain.watching.figures import ProfileFigures

_ALL = 1 << 40


class _Counted(KeptLinks, Protocol):
    def totals(self) -> list[Totals]: ...


@frozen
class MemoryFigures:
    """`Figures` of a catalog, asked as anybody asks it."""

    _catalog: _Counted
    _scrubs: ScrubTable
    _drills: DrillTable

    def of_profiles(self) -> list[ProfileFigures]:
        drilled = self._drills.latest(DrillKind.DRILL, equal_only=True)
        return [self._of(profile, drilled.get(profile)) for profile in self._profiles()]

    def unsettled(self, limit: int) -> list[str]:
        states = ((profile, self._catalog.link_state(profile)) for profile in self._profiles())
        return [profile for profile, state in states if state.has_pending or state.has_unsettled][:limit]

    def _profiles(self) -> Iterable[str]:
        return sorted({row.profile for row in self._catalog.totals()})

    def _of(self, profile: str, drilled: Drill | None) -> ProfileFigures:
        places = self._catalog.places(profile, limit=_ALL).places
        archives = [place.archive for place in places]
        restorable = max(
            (place for place in places if place.standing is not None and place.standing.is_restorable),
            key=lambda place: place.archive.received_at,
            default=None,
        )
        standing = None if restorable is None else restorable.standing
        right = [one for one in archives if one.state is not ArchiveState.DAMAGED]
        return ProfileFigures(
            profile,
            self._catalog.link_state(profile).version,
            len(archives),
            sum(archive.size_bytes for archive in archives),
            len(archives) - len(right),
            max(archive.received_at for archive in archives),
            None if restorable is None else restorable.archive.received_at,
            None if standing is None else standing.length,
            min((self._scrubs.find(archive.id).known_right_at for archive in right), default=None),
            None if drilled is None else drilled.ended_at,
            None if drilled is None or drilled.folders else drilled.report.seconds,
        )
