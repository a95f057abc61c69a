"""
Watching: the job that looks at what changed, and makes alerts of what is not as it should be.

The rule: nothing is remembered between two looks but what is in the tables. What follows from a look is made durable
before the look is: a watch that is cut off looks again, and finds the alerts that it made.

A profile is looked at when its archives changed, when the rules or what else its status follows from are others, and
when a deadline has passed. So a look at ten thousand profiles, of which none changed, is one query.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from attrs import define, field

from ...errors.archives import ProfileNotFound
from ...jobs.job import GoOn, JobReport
from ...jobs.run import RunOutcome
from ...notices.conditions import WATCHED, conditions_of, server_conditions
from ...notices.digest import digest_of
from ...notices.event import AlertKey, Condition
from ...notices.notice import Notice, NoticeKind
from ...notices.routes import PlanInUse
from ...notices.settling import Settlement, settle
from ...ports.system import IdSource
from ...ports.upkeep.notices import KEPT_NOTICE_DAYS, NoticeTable
from ...tarkeep_error import TarkeepError
from ...text.counted import counted
from ...watching.kept_status import KeptStatus
from ...watching.light import ConcernKind, Light
from ...watching.slots import Absence
from .check_profile import CheckServer
from .profile_look import ProfileLook, ProfileStatus
from .sample_usage import SampleUsage

WATCH = "watch"
"""The name of the job."""

SHORT_ABSENCE = timedelta(minutes=2)
"""A server that was away no longer needs no excuse."""

_AT_ONCE = 100
_SOON = timedelta(minutes=1)
_LATER = timedelta(minutes=10)
_SOMETIME = timedelta(hours=24)
_JUST_AFTER = timedelta(seconds=1)


@define(eq=False)
class WatchProfiles:
    """Look at everything that may have changed, once; for one thread."""

    look: ProfileLook
    check_server: CheckServer
    notices: NoticeTable
    ids: IdSource
    in_use: PlanInUse
    sample: SampleUsage
    _is_absence_noted: bool = field(default=False, init=False)
    _waits: dict[str, list[str]] = field(factory=dict, init=False)
    _unread: dict[str, int] = field(factory=dict, init=False)
    _began_at: datetime | None = field(default=None, init=False)
    _looked_for_old: datetime | None = field(default=None, init=False)

    def __call__(self, go_on: GoOn) -> JobReport:
        """
        Bring the statuses of profiles up to date, and the alerts with them.

        Cost: grows with the number of profiles that may be others than they were; some milliseconds each.
        """
        now = self.look.clock.now()
        self._note_absence(now)
        self._look_for_others(now)
        absences = self.look.statuses.absences()
        stamp = stamp_of(self.look.rules.fingerprint, absences)
        looked = opened = 0
        while go_on() and (due := self.look.statuses.due(stamp, now, limit=_AT_ONCE)):
            looked += len(due)
            opened += self._look_at(due, stamp, absences, now)
        opened += self._settle_rest(now)
        self._make_digest(now)
        with suppress(TarkeepError):  # such as a trash that cannot be read: a day lacks in a picture, and alerts go on
            self.sample()
        summary = f"{counted(looked, 'profile')} looked at, {counted(opened, 'alert')} began or ended"
        return JobReport(summary, {"profiles": looked, "alerts": opened}, did_something=opened > 0)

    def _look_at(self, due: Sequence[tuple[str, int]], stamp: str, absences: Sequence[Absence], now: datetime) -> int:
        """Look at these profiles; returns how many alerts began or ended."""
        kept: list[KeptStatus] = []
        conditions: list[Condition] = []
        for profile, version in due:
            try:
                status = self.look.of(profile, self._unread, self._waits, absences)
            except ProfileNotFound:  # its last archive went meanwhile: the next look finds it gone
                continue
            conditions += conditions_of(status.facts, status.concerns)
            kept.append(kept_status(status, version, stamp, now))
        changed = self._settle([one.profile for one in kept], conditions, now)
        self.look.statuses.keep(kept)
        return changed

    def _settle_rest(self, now: datetime) -> int:
        """What is so about the server, what ended with its profile, and what is due by itself."""
        gone = self.look.statuses.gone()
        changed = self._settle([None, *gone], server_conditions(self.check_server()), now)
        if gone:
            self.look.statuses.forget(gone)
        return changed

    def _settle(self, profiles: Sequence[str | None], conditions: Sequence[Condition], now: datetime) -> int:
        asked = set(profiles)

        def ends(key: AlertKey) -> bool:
            return key.profile in asked and key.event in WATCHED

        plan = self.in_use.plan
        decide = partial(settle, conditions=conditions, ends=ends, now=now, plan=plan, new_id=self.ids.new)
        said = self.notices.update(profiles, now, decide)
        return sum(alert.began_at == now or alert.ended_at == now for alert in said.alerts)

    def _make_digest(self, now: datetime) -> None:
        """A digest for each channel that is to get one; times that were missed together are one."""
        self._began_at = self._began_at or now
        digest = self.in_use.plan.digest
        if digest is None:
            return
        last = self.notices.newest(NoticeKind.DIGEST)
        due = []
        for channel in digest.channels:
            since = last[channel].created_at if channel in last else self._began_at
            if digest.at.after(since) <= now:
                due.append(channel)
        if due:
            title, text = digest_of(self.look.statuses.all(), self.notices.running())
            made = tuple(
                Notice(self.ids.new(), channel, NoticeKind.DIGEST, title, now, now, text=text) for channel in due
            )
            self.notices.update((), now, lambda _known: Settlement(notices=made))

    def _note_absence(self, now: datetime) -> None:
        """At the first look of a process: since the last look of the one before, no archive could come."""
        if self._is_absence_noted:
            return
        done = (RunOutcome.DONE, RunOutcome.NOTHING)
        last = next((run for run in self.look.jobs.runs(WATCH, limit=100) if run.outcome in done), None)
        if last is not None and now - last.started_at > SHORT_ABSENCE:
            self.look.statuses.note_absence(Absence(last.started_at, now))
        self._is_absence_noted = True

    def _look_for_others(self, now: datetime) -> None:
        """What changes without an archive: what a prune left to a person; and, rarely, what is unread for long."""
        waits, unread = self.look.waits(), self._unread
        if self._looked_for_old is None or now - self._looked_for_old >= _LATER:
            unread = self.look.unread()
            self.notices.drop_old(now - timedelta(days=KEPT_NOTICE_DAYS))
            self._looked_for_old = now
        others = _differing(waits, self._waits) | _differing(unread, self._unread)
        self._waits, self._unread = waits, unread
        if others:
            self.look.statuses.forget(others)


def stamp_of(rules: str, absences: Sequence[Absence]) -> str:
    """What statuses follow from beside the archives: if it is another one, all of them are worked out anew."""
    last = absences[-1] if absences else None
    return hashlib.sha256(f"{rules} {last}".encode()).hexdigest()[:16]


def _differing(new: dict[str, list[str]] | dict[str, int], old: dict[str, list[str]] | dict[str, int]) -> set[str]:
    return {profile for profile in new.keys() | old.keys() if new.get(profile) != old.get(profile)}


def _turns(status: ProfileStatus, now: datetime) -> Iterator[datetime]:
    """When *status* will be another one though nothing happens."""
    if status.next_deadline is not None:
        yield status.next_deadline
    drills = status.facts.drills
    if drills is not None and drills.counts_from >= drills.behind_before:
        yield drills.counts_from + (now - drills.behind_before) + _JUST_AFTER


def kept_status(status: ProfileStatus, version: int, stamp: str, now: datetime) -> KeptStatus:
    """What is kept of *status*, which was worked out *now* from archives in that *version* and what has *stamp*."""
    kinds = {concern.kind for concern in status.concerns}
    again = _SOON if ConcernKind.UNKNOWN in kinds else _SOMETIME if status.light is Light.GREEN else _LATER
    look_at = min([now + again, *_turns(status, now)])
    return KeptStatus(
        status.profile,
        version,
        stamp,
        now,
        look_at,
        status.newest.archive.received_at,
        None if status.restorable is None else status.restorable.archive.received_at,
        status.archives,
        status.facts.held_bytes,
        status.chain_archives,
        ConcernKind.OVERDUE in kinds,
        ConcernKind.BRAKED in kinds,
        status.concerns,
    )
