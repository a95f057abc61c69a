"""All profiles at a glance: how many have which light, and those that need somebody first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from attrs import evolve, frozen

from ...errors.archives import ProfileNotFound
from ...jobs.run import Run, RunOutcome
from ...ports.upkeep.jobs import JobTable
from ...watching.kept_status import KeptStatus, KnownLight
from ...watching.light import Concern, ConcernKind, Light
from .check_profile import CheckServer
from .profile_look import ProfileLook
from .watch import kept_status, stamp_of

STALE_AFTER = timedelta(minutes=5)
"""What was looked at so long ago says nothing about now."""

_LOOKED_AT_ONCE = 20
"""So many profiles that have changed since the last watch are looked at for one answer."""


@frozen
class Fleet:
    """
    The profiles that somebody sees: how many have which light, and a page of those that were asked for, worst first.

    *matching* is the number of those that were asked for. *server* is what is wrong with the server, the worst first;
    *looked_at* is when the job that looks at profiles last ended, and *is_stale* says that because of that nobody knows
    how some of them are.
    """

    counts: Mapping[Light, int]
    rows: tuple[KeptStatus, ...]
    matching: int
    server: tuple[Concern, ...]
    looked_at: datetime | None
    is_stale: bool
    now: datetime

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@frozen
class ReadFleet:
    """Say of all profiles at once how they are. *watch* is the name of the job that looks at them."""

    look: ProfileLook
    check_server: CheckServer
    watch: str

    def __call__(
        self,
        sees: Callable[[str], bool],
        *,
        with_server: bool,
        text: str = "",
        light: Light | None = None,
        start: int = 0,
        limit: int = 100,
    ) -> Fleet:
        """
        Those that the caller *sees*; rows only of profiles whose name contains *text*, and with that *light*.

        If the last look was too long ago, every light is grey: nobody knows.

        Cost: grows with the number of profiles, some microseconds each.

        Raises:
            BackendUnavailable: the catalog cannot be read.
        """
        now = self.look.clock.now()
        looked_at = last_look(self.look.jobs, self.watch)
        oldest = now - STALE_AFTER
        changed = {status.profile: status for status in self._changed(sees, now)}
        known = {one.profile: one for one in self.look.statuses.lights(oldest) if sees(one.profile)}
        known |= {one.profile: KnownLight(one.profile, one.light, is_fresh=True) for one in changed.values()}
        is_stale = is_long_ago(looked_at, now) and not all(one.is_fresh for one in known.values())
        by_light: dict[Light, list[str]] = {one: [] for one in sorted(Light, key=lambda one: -one.rank)}
        for profile in sorted(known):
            its = known[profile]
            by_light[its.light if its.is_fresh or not is_stale else Light.GREY].append(profile)
        counts = {one: len(profiles) for one, profiles in by_light.items()}
        asked = by_light.values() if light is None else (by_light[light],)
        wanted = [profile for profiles in asked for profile in profiles if text in profile]
        page = wanted[start : start + limit]
        statuses = {status.profile: status for status in self.look.statuses.of(page)} | changed
        rows = [_as_known(statuses[one], oldest) if is_stale else statuses[one] for one in page if one in statuses]
        server = self.check_server() if with_server else ()
        return Fleet(counts, tuple(rows), len(wanted), server, looked_at, is_stale, now)

    def _changed(self, sees: Callable[[str], bool], now: datetime) -> list[KeptStatus]:
        """The first profiles whose archives have changed since the last watch, as they are now."""
        absences = self.look.statuses.absences()
        stamp = stamp_of(self.look.rules.fingerprint, absences)
        due = [one for one in self.look.statuses.due(stamp, now, limit=_LOOKED_AT_ONCE) if sees(one[0])]
        found = []
        unread, waits = (self.look.unread(), self.look.waits()) if due else ({}, {})
        for profile, version in due:
            try:
                found.append(kept_status(self.look.of(profile, unread, waits, absences), version, stamp, now))
            except ProfileNotFound:  # its last archive went meanwhile
                continue
        return found


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
