"""What is kept about profiles, in memory."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from attrs import define, field

from ....domain.watching.kept_status import KeptStatus, StatusFilter
from ....domain.watching.light import Light
from ....domain.watching.slots import Absence

_KEPT_ABSENCES = 100


@define(eq=False)
class MemoryStatusTable:
    """`StatusTable` of the catalog that *versions* asks: the version of each profile with archives."""

    _versions: Callable[[], Mapping[str, int]]
    _kept: dict[str, KeptStatus] = field(factory=dict, init=False)
    _absences: dict[datetime, Absence] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def due(
        self, stamp: str, now: datetime, *, limit: int, profiles: frozenset[str] | None = None
    ) -> list[tuple[str, int]]:
        versions = sorted((one, version) for one, version in self._versions().items() if not _is_hidden(one, profiles))
        with self._lock:
            due = [(profile, version) for profile, version in versions if self._is_due(profile, version, stamp, now)]
        return due[:limit]

    def gone(self) -> list[str]:
        versions = self._versions()
        with self._lock:
            return sorted(profile for profile in self._kept if profile not in versions)

    def keep(self, statuses: Sequence[KeptStatus]) -> None:
        with self._lock:
            self._kept |= {one.profile: one for one in statuses}

    def forget(self, profiles: Collection[str]) -> None:
        with self._lock:
            for profile in profiles:
                self._kept.pop(profile, None)

    def all(self) -> list[KeptStatus]:
        with self._lock:
            return [self._kept[profile] for profile in sorted(self._kept)]

    def count_lights(self, asked: StatusFilter) -> dict[Light, int]:
        return dict(Counter(_light(one, asked) for one in self._asked(asked)))

    def oldest_look(self, asked: StatusFilter) -> datetime | None:
        return min((one.worked_out_at for one in self._asked(asked)), default=None)

    def with_light(self, light: Light, asked: StatusFilter, *, start: int = 0, limit: int) -> list[KeptStatus]:
        return [one for one in self._asked(asked) if _light(one, asked) is light][start : start + limit]

    def _asked(self, asked: StatusFilter) -> list[KeptStatus]:
        return [
            one
            for one in self.all()
            if not _is_hidden(one.profile, asked.profiles)
            and one.profile not in asked.without
            and asked.text in one.profile
        ]

    def mark(self, profile: str | None = None) -> str:
        versions = self._versions()
        with self._lock:
            of = sorted(versions.keys() | self._kept.keys()) if profile is None else [profile]
            return repr([(versions.get(one), self._kept.get(one)) for one in of])

    def absences(self) -> list[Absence]:
        with self._lock:
            return sorted(self._absences.values(), key=lambda one: one.since)

    def note_absence(self, absence: Absence) -> None:
        with self._lock:
            known = {**self._absences, absence.since: absence}
            self._absences = {since: known[since] for since in sorted(known)[-_KEPT_ABSENCES:]}

    def _is_due(self, profile: str, version: int, stamp: str, now: datetime) -> bool:
        kept = self._kept.get(profile)
        return kept is None or (kept.version, kept.stamp) != (version, stamp) or kept.look_at <= now


def _is_hidden(profile: str, profiles: frozenset[str] | None) -> bool:
    return profiles is not None and profile not in profiles


def _light(status: KeptStatus, asked: StatusFilter) -> Light:
    is_known = asked.known_since is None or status.worked_out_at >= asked.known_since
    return status.light if is_known else Light.GREY
