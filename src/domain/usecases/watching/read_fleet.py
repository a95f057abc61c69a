"""All profiles at a glance: how many have which light, and those that need somebody first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import evolve, frozen

from ...access.tokens import Principal
from ...errors.archives import ProfileNotFound
from ...jobs.run import Run, RunOutcome
from ...ports.upkeep.jobs import JobTable
from ...watching.kept_status import KeptStatus, StatusFilter
from ...watching.light import Concern, ConcernKind, Light
from ..access.visible import VisibleProfiles
from .check_profile import CheckServer
from .profile_look import ProfileLook
from .watch import kept_status, stamp_of

STALE_AFTER = timedelta(minutes=5)
"""What was looked at so long ago says nothing about now."""

_LOOKED_AT_ONCE = 20
"""So many profiles that have changed since the last watch are looked at for one answer."""

_ALL = 1 << 31


@frozen
class Fleet:
    """
    The profiles that somebody sees: how many have which light, and a page of those that were asked for, worst first.

    *matching* is the number of those that were asked for. *server* is what is wrong with the server, the worst first;
    *looked_at* is when the job that looks at profiles last ended, and *is_stale* says that because of that nobody knows
    how some of them are. *unseen* is the number of those, counted as grey and in no row, that nobody has looked at yet.
    """

    counts: Mapping[Light, int]
    rows: tuple[KeptStatus, ...]
    matching: int
    server: tuple[Concern, ...]
    looked_at: datetime | None
    is_stale: bool
    now: datetime
    unseen: int = 0

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@frozen
class ReadFleet:
    """Say of all profiles at once how they are. *watch* is the name of the job that looks at them."""

    look: ProfileLook
    check_server: CheckServer
    visible: VisibleProfiles
    watch: str

    def __call__(
        self, principal: Principal, *, text: str = "", light: Light | None = None, start: int = 0, limit: int = 100
    ) -> Fleet:
        """
        Those that *principal* sees; rows only of profiles whose name contains *text*, and with that *light*. Whoever
        sees all of them is also told what is wrong with the server.

        If the last look was too long ago, every light is grey: nobody knows.

        Cost: grows with *start* and *limit*; and with the number of profiles, a microsecond each.

        Raises:
            BackendUnavailable: the catalog cannot be read.
        """
        now, statuses = self.look.clock.now(), self.look.statuses
        looked_at = last_look(self.look.jobs, self.watch)
        oldest = now - STALE_AFTER
        profiles = self.visible(principal)
        changed, has_more = self._changed(profiles, now)
        unseen = self._unseen(profiles, changed, now) if has_more else 0
        asked = StatusFilter(profiles, without=frozenset(status.profile for status in changed))
        is_stale = is_long_ago(looked_at, now) and (statuses.oldest_look(asked) or now) < oldest
        if is_stale:
            asked = evolve(asked, known_since=oldest)
        worst_first = sorted(Light, key=lambda one: -one.rank)
        counts = _counts(statuses.count_lights(asked), changed)
        matching = counts
        if text:
            asked, changed = evolve(asked, text=text), [status for status in changed if text in status.profile]
            matching = _counts(statuses.count_lights(asked), changed)
        rows: list[KeptStatus] = []
        before = 0
        for one in worst_first if light is None else (light,):
            room = limit - len(rows)
            if room > 0 and start < before + matching[one]:
                rows += self._lit(one, asked, changed, max(start - before, 0), room)
            before += matching[one]
        server = self.check_server() if principal.sees_everything else ()
        total = counts + Counter({Light.GREY: unseen})
        shown = tuple(_as_known(status, oldest) for status in rows) if is_stale else tuple(rows)
        return Fleet({one: total[one] for one in worst_first}, shown, before, server, looked_at, is_stale, now, unseen)

    def _lit(
        self, light: Light, asked: StatusFilter, changed: Sequence[KeptStatus], start: int, limit: int
    ) -> list[KeptStatus]:
        """
        Those with *light* from *start* on: of what is kept, and of what has *changed* since.

        Each that changed is at most so many places behind where it would be among those that are kept, as there are
        others that did: so many more are read before and after.
        """
        own = [status for status in changed if status.light is light]
        first = max(start - len(own), 0)
        kept = self.look.statuses.with_light(light, asked, start=first, limit=limit + start - first + len(own))
        together = sorted([*own, *kept], key=lambda status: status.profile)
        return together[start - first : start - first + limit]

    def _changed(self, profiles: frozenset[str] | None, now: datetime) -> tuple[list[KeptStatus], bool]:
        """The first of *profiles* whose archives have changed since the last watch, as they are now; if more have."""
        absences = self.look.statuses.absences()
        stamp = stamp_of(self.look.rules.fingerprint, absences)
        due = self.look.statuses.due(stamp, now, limit=_LOOKED_AT_ONCE, profiles=profiles)
        found = []
        waits = self.look.waits() if due else {}
        for profile, version in due:
            try:
                found.append(
                    kept_status(self.look.of(profile, self.look.unread(profile), waits, absences), version, stamp, now)
                )
            except ProfileNotFound:  # its last archive went meanwhile
                continue
        return found, len(due) == _LOOKED_AT_ONCE

    def _unseen(self, profiles: frozenset[str] | None, changed: Sequence[KeptStatus], now: datetime) -> int:
        """How many of *profiles* have no status at all, as after an import: the job has not come to them yet."""
        stamp = stamp_of(self.look.rules.fingerprint, self.look.statuses.absences())
        due = {profile for profile, _ in self.look.statuses.due(stamp, now, limit=_ALL, profiles=profiles)}
        waiting = frozenset(due - {status.profile for status in changed})
        return len(waiting) - sum(self.look.statuses.count_lights(StatusFilter(waiting)).values())


def _counts(kept: Mapping[Light, int], changed: Iterable[KeptStatus]) -> Counter[Light]:
    return Counter(kept) + Counter(status.light for status in changed)


def last_look(jobs: JobTable, watch: str) -> datetime | None:
    """When the job *watch*, which looks at profiles, last ended as it should; None if it never did."""
    done = (RunOutcome.DONE, RunOutcome.NOTHING)
    record = jobs.records().get(watch)
    run: Run | None = record.last if record is not None else None
    if run is not None and run.outcome not in done:
        run = next((one for one in jobs.runs(watch) if one.outcome in done), None)
    return None if run is None else run.ended_at


def is_long_ago(looked_at: datetime | None, now: datetime) -> bool:
    """Whether a look at that time says nothing about *now*."""
    return looked_at is None or now - looked_at > STALE_AFTER


def _as_known(status: KeptStatus, oldest: datetime) -> KeptStatus:
    """*status*, if it was worked out since *oldest*; else nothing is known of that profile."""
    if status.worked_out_at >= oldest:
        return status
    text = "the job that looks at profiles has stood still for more than five minutes"
    return evolve(status, concerns=(Concern(ConcernKind.UNKNOWN, Light.GREY, text),))
