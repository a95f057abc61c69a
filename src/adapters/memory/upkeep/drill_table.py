"""Restore drills in memory."""

from __future__ import annotations

import threading

from attrs import define, evolve, field

from ....domain.drills.drill import Drill, DrillKind, DrillOutcome
from ....domain.errors.drills import DrillNotFound
from ....domain.ports.upkeep.drills import KEPT_DRILLS

_ENDED = frozenset({DrillOutcome.EQUAL, DrillOutcome.DIFFERENT, DrillOutcome.FAILED})


@define(eq=False)
class MemoryDrillTable:
    """`DrillTable` that ends with the process."""

    _drills: list[Drill] = field(factory=list, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def begin(self, drill: Drill) -> None:
        def key(one: Drill) -> tuple[str, DrillKind]:
            return one.profile, one.kind

        with self._lock:
            self._drills = [
                evolve(one, outcome=DrillOutcome.ABANDONED)
                if one.outcome is DrillOutcome.OPEN and key(one) == key(drill) and one.who == drill.who
                else one
                for one in self._drills
            ] + [drill]
            alike = [one for one in self._drills if key(one) == key(drill)]
            dropped = {one.id for one in alike[:-KEPT_DRILLS]}
            self._drills = [one for one in self._drills if one.id not in dropped]

    def end(self, drill: Drill) -> None:
        with self._lock:
            for number, one in enumerate(self._drills):
                if one.id == drill.id and one.outcome is DrillOutcome.OPEN:
                    self._drills[number] = drill
                    return
        raise DrillNotFound(drill.id)

    def find(self, id: str) -> Drill:
        with self._lock:
            for one in self._drills:
                if one.id == id:
                    return one
        raise DrillNotFound(id)

    def recent(self, profile: str | None = None, *, kind: DrillKind | None = None, limit: int = 100) -> list[Drill]:
        with self._lock:
            found = [
                one for one in reversed(self._drills) if profile in (None, one.profile) and kind in (None, one.kind)
            ]
        return found[:limit]

    def latest(self, kind: DrillKind, *, equal_only: bool = False) -> dict[str, Drill]:
        wanted = frozenset({DrillOutcome.EQUAL}) if equal_only else _ENDED
        with self._lock:
            return {one.profile: one for one in self._drills if one.kind is kind and one.outcome in wanted}
