"""
Whether everything about all profiles is as it should be.

The rule: what was worked out for a profile is right until its archives, the rules or the time change it, so a profile
is looked at anew only then. If the job that looks at profiles stands still, nothing that it left behind is believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from attrs import frozen

from ...access.tokens import Principal
from ...drills.drill import Drill, DrillKind
from ...errors.archives import ProfileNotFound
from ...identity.archive_id import ArchiveId
from ...watching.kept_status import KeptStatus, StatusFilter
from ...watching.light import Concern, ConcernKind, Light, light_of
from ..access.visible import VisibleProfiles
from .profile_look import ProfileLook, ProfileStatus
from .read_fleet import is_long_ago, last_look
from .watch import stamp_of

_ALL = 1 << 31


@frozen
class ProfileBrief:
    """
    A profile in a list: what is not as it should be about it, the worst first, and its *newest* archive.

    *drilled* and *rehearsed* are the last drill and the last rehearsal that were judged; None without one.
    """

    profile: str
    concerns: tuple[Concern, ...]
    newest: ArchiveId
    received_at: datetime
    drilled: Drill | None = None
    rehearsed: Drill | None = None

    @property
    def light(self) -> Light:
        return light_of(self.concerns)


@frozen
class Lights:
    """How many profiles have which light, and those that are not green, the worst first."""

    counts: Mapping[Light, int]
    told: tuple[ProfileBrief, ...]


@frozen
class CheckProfiles:
    """Say of all profiles whether everything is as it should be. *watch* is the name of the job that looks at them."""

    look: ProfileLook
    visible: VisibleProfiles
    watch: str

    def __call__(self, principal: Principal) -> Lights:
        """
        Those that *principal* sees.

        Cost: grows with the profiles that are not green, less than a millisecond each, and with the archives of those
        that changed since the last watch; a microsecond for each of the others.

        Raises:
            BackendUnavailable: the catalog cannot be read.
        """
        look, now = self.look, self.look.clock.now()
        profiles = self.visible(principal)
        unread, waits, absences = look.unread(), look.waits(), look.statuses.absences()
        if is_long_ago(last_look(look.jobs, self.watch), now):
            anew, kept, counts = self._with_archives(profiles), list[KeptStatus](), Counter[Light]()
        else:
            stamp = stamp_of(look.rules.fingerprint, absences)
            anew = {profile for profile, _ in look.statuses.due(stamp, now, limit=_ALL, profiles=profiles)}
            kept = self._not_green(StatusFilter(profiles, without=frozenset(anew)))
            others = _otherwise(kept, ConcernKind.SCRUB_BEHIND, unread) | _otherwise(
                kept, ConcernKind.PRUNE_PAUSED, waits
            )
            anew |= others if profiles is None else others & profiles
            kept = [status for status in kept if status.profile not in anew]
            counts = Counter(look.statuses.count_lights(StatusFilter(profiles, without=frozenset(anew))))
        told = [brief for status in kept if (brief := self._kept(status)) is not None]
        for profile in anew:
            try:
                brief = brief_of(look.of(profile, unread, waits, absences))
            except ProfileNotFound:  # its last archive went meanwhile
                continue
            counts[brief.light] += 1
            if brief.light is not Light.GREEN:
                told.append(brief)
        told.sort(key=lambda brief: (-brief.light.rank, brief.profile))
        return Lights(counts, tuple(told))

    def _with_archives(self, profiles: frozenset[str] | None) -> set[str]:
        return {row.profile for row in self.look.catalog.totals(profiles=profiles)}

    def _not_green(self, asked: StatusFilter) -> list[KeptStatus]:
        lights = (light for light in Light if light is not Light.GREEN)
        return [status for light in lights for status in self.look.statuses.with_light(light, asked, limit=_ALL)]

    def _kept(self, status: KeptStatus) -> ProfileBrief | None:
        """*status*, as it is told in a list; None if the last archive of the profile went meanwhile."""
        look, profile = self.look, status.profile
        newest = next(iter(look.catalog.arrivals(profile, limit=1)), None)
        if newest is None:
            return None
        is_drilled = status.restorable_at is not None
        return ProfileBrief(
            profile,
            status.concerns,
            ArchiveId(profile, newest.type, newest.name),
            newest.received_at,
            look.last_judged(profile, DrillKind.DRILL) if is_drilled else None,
            look.last_judged(profile, DrillKind.REHEARSAL) if is_drilled else None,
        )


def _otherwise(kept: Iterable[KeptStatus], kind: ConcernKind, now: Iterable[str]) -> set[str]:
    """The profiles of which *kept* says something else about a concern of that *kind* than what is so *now*."""
    told = {status.profile for status in kept if any(concern.kind is kind for concern in status.concerns)}
    return told ^ set(now)


def brief_of(status: ProfileStatus) -> ProfileBrief:
    """*status*, as it is told in a list."""
    newest, drills = status.newest.archive, status.facts.drills
    return ProfileBrief(
        status.profile,
        status.concerns,
        newest.id,
        newest.received_at,
        None if drills is None else drills.drilled,
        None if drills is None else drills.rehearsed,
    )
