"""
What may be removed of a profile, and why everything else stays.

The rule book:

1. *Young* archives, which arrived within ``minimum_age``, stay, and displace nothing: rules and minimums count older
   points only. So whatever a thief sends removes nothing until somebody had time to notice. The age of an archive that
   was copied from another server counts from its arrival here.
2. A point is *eligible* if it restores. Links are worked out twice, with and without the young; what restores by either
   counts, for a young archive must not spoil an older point.
3. Each rule sorts the eligible points by the time of their receipt into *buckets* and keeps one of each (see
   `buckets`). Rules are independent. A second pass does the same by the time of the dump, which its sender claims, so
   that two weeks that a laptop delivers in one night are still two weeks: a claim may save an archive, never condemn
   it.
   Where archives were copied from another server, its word for their receipts sorts them. So rules and minimums are
   applied twice: to all points, and as if those did not exist that came *late* (see `Copied`). What either wants
   stays: a server that lies about the past puts nothing in the place of what was copied before.
4. *Minimums*: the newest points and full archives stay, whatever the rules say; so does what is held, locked, being
   read, of the future, or broken for a short time only.
5. *Closure*: whatever a kept archive builds on stays, by both ways of linking. Where a link is uncertain, other
   archives that may be the parent stay, too (see `candidates`).

Everything else goes. Pure: the same values give the same plan, in whatever order they come.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from itertools import islice
from types import MappingProxyType

from attrs import define, field, frozen

from ..chains.standing import PlacedArchive
from ..identity.archive_id import ArchiveId, BackupType
from ..profiles.retention_policy import Every, KeepRule, RetentionPolicy
from ..text.counted import counted
from ..text.times import minute, rfc3339
from .buckets import LONGEST_DAYS, Chosen, Timeline, bucket_numbers, by_claim, by_receipt, chosen
from .candidates import Candidate, NeededBy, alone, candidates, dependents_first
from .decisions import Pause, PauseKind, PruneDecision, PrunePlan, Reason, ReasonKind
from .marks import UNMARKED, Marks

FEW_POINTS = 3
"""Up to this many archives are removed without an approval, whatever their share."""


@frozen
class Circumstances:
    """
    What a plan depends on besides archives, links and policy.

    *in_use* are archives that are being read, *suspicious* ones, or those that may be, fill no minimum. *broken_since*
    is when it was noticed that an archive does not restore; one that is missing there counts as noticed now. *also* are
    archives that have to stay, each with the reason. *pauses* are what keeps this profile from being pruned at all.
    """

    marks: Mapping[ArchiveId, Marks] = MappingProxyType({})
    in_use: Collection[ArchiveId] = ()
    suspicious: Collection[ArchiveId] = ()
    broken_since: Mapping[ArchiveId, datetime] = MappingProxyType({})
    also: Mapping[ArchiveId, Reason] = MappingProxyType({})
    pauses: tuple[Pause, ...] = ()


ORDINARY = Circumstances()


def plan_prune(
    profile: str,
    points: Iterable[PlacedArchive],
    older: Iterable[PlacedArchive],
    policy: RetentionPolicy | None,
    zone: tzinfo,
    now: datetime,
    circumstances: Circumstances = ORDINARY,
) -> PrunePlan:
    """
    The decision for every archive in *points*, those of *profile* that are not in the trash, with links and standings.

    *older* are the same without the young (see `without_young`), linked as if those did not exist. Without a *policy*
    everything stays. *zone* is that in which days begin, *now* the time of the plan.

    Cost: O(n log n).
    """
    known = candidates(points, older, zone, circumstances.suspicious)
    if policy is None:
        reason = Reason(ReasonKind.NO_POLICY, "the profile has no retention policy, so nothing is ever removed")
        decisions = (PruneDecision(one.archive, True, (reason,), one.restores) for one in known.values())
        return PrunePlan(profile, {}, tuple(decisions), ())
    return _Planning(policy, zone, now, circumstances, known).plan(profile)


def without_young(points: Iterable[PlacedArchive], policy: RetentionPolicy, now: datetime) -> list[PlacedArchive]:
    """*points* but those received so recently that they stay and displace nothing."""
    young_since = policy.minimum_age.before(now)
    return [place for place in points if place.archive.here_since <= young_since]


@define
class _Instead:
    """
    Why others go from the buckets that one rule keeps: *reasons* by the number of the bucket.

    *from_day* is a day of the calendar that no bucket begins before; it spares numbering what is older.
    """

    every: Every
    reasons: Mapping[int, Reason]
    _keepers: Iterable[Candidate]
    from_day: int = field(init=False)

    @from_day.default
    def _earliest(self) -> int:
        return min((one.local.toordinal() for one in self._keepers), default=0) - LONGEST_DAYS[self.every]


@define
class _Planning:
    policy: RetentionPolicy
    zone: tzinfo
    now: datetime
    circumstances: Circumstances
    known: Mapping[ArchiveId, Candidate]  # by receipt
    _instead: list[_Instead] = field(factory=list)
    _young_since: datetime = field(init=False)

    @_young_since.default
    def _minimum_age(self) -> datetime:
        return self.policy.minimum_age.before(self.now)

    def plan(self, profile: str) -> PrunePlan:
        for one in self.known.values():
            self._keep_by_itself(one)
        since = self._young_since
        eligible = [one for one in self.known.values() if one.restores and one.archive.here_since <= since]
        self._keep_by_rules(eligible)
        self._keep_minimums(eligible)
        in_time = [one for one in eligible if one.archive.copied is None or not one.archive.copied.is_late]
        if len(in_time) < len(eligible):
            self._keep_by_rules(in_time)
            self._keep_minimums(in_time)
        for id, reason in self.circumstances.also.items():
            if id in self.known:
                self.known[id].reasons += (reason,)
        self._close()
        gone = [one for one in self.known.values() if not one.reasons]
        removals = {
            one: PruneDecision(one.archive, False, (reason,), one.restores) for one, reason in self._why_gone(gone)
        }
        only_for = alone(self.known.values())
        decisions = [removals.get(one) or _kept(one, only_for.get(one, "")) for one in self.known.values()]
        removed = tuple(removals[one] for one in dependents_first(gone))
        costs = dict.fromkeys((rule.setting for rule in self.policy.rules if rule.keeps_something), 0)
        for one, rule in only_for.items():
            costs[rule] += one.archive.size_bytes
        return PrunePlan(profile, self.policy.settings(), tuple(decisions), removed, self._pauses(len(gone)), costs)

    # -- what stays whatever the rules say ---------------------------------------------------------------------------

    def _is_young(self, one: Candidate) -> bool:
        return one.archive.here_since > self._young_since

    def _keep_by_itself(self, one: Candidate) -> None:
        archive, circumstances = one.archive, self.circumstances
        if self._is_young(one):
            until = minute(self.policy.minimum_age.after(archive.here_since))
            text = f"younger than minimum_age = {self.policy.minimum_age} until {until}"
            one.reasons += (Reason(ReasonKind.YOUNG, text),)
        if circumstances.marks:
            for text in circumstances.marks.get(archive.id, UNMARKED).protection(self.now):
                one.reasons += (Reason(ReasonKind.HOLD, text),)
        if circumstances.in_use and archive.id in circumstances.in_use:
            one.reasons += (Reason(ReasonKind.IN_USE, "it is being read"),)
        if archive.taken_at > self.now:
            text = f"its time, {rfc3339(archive.taken_at)}, lies in the future"
            one.reasons += (Reason(ReasonKind.FUTURE, text),)
        if not one.is_known:
            one.reasons += (Reason(ReasonKind.UNKNOWN, "whether it restores could not be found out"),)
        elif not one.restores:
            self._keep_broken(one)

    def _keep_broken(self, one: Candidate) -> None:
        since = self.circumstances.broken_since.get(one.archive.id, self.now)
        if self.policy.keep_broken.after(since) > self.now:
            text = (
                f"it does not restore, which was noticed at {rfc3339(since)}; kept for keep_broken = "
                f"{self.policy.keep_broken}"
            )
            one.reasons += (Reason(ReasonKind.BROKEN, text),)

    # -- rules -------------------------------------------------------------------------------------------------------

    def _keep_by_rules(self, eligible: Sequence[Candidate]) -> None:
        received, claimed = by_receipt(eligible), by_claim(eligible, self.zone)
        for rule in self.policy.rules:
            found = self._chosen(rule, received)
            if rule.every is not Every.POINT:
                reasons = {number: _replaced(rule, one) for number, one in found.items()}
                self._instead.append(_Instead(rule.every, reasons, (one.point for one in found.values())))
            for one in found.values():
                one.point.reasons += (Reason(ReasonKind.RULE, one.bucket, rule.setting),)
            saved = {one.point for one in found.values()}
            for one in self._chosen(rule, claimed).values():
                if one.point not in saved:
                    text = f"{one.bucket} by the time of its dump"
                    one.point.reasons += (Reason(ReasonKind.RULE, text, rule.setting),)
        self._instead.sort(key=lambda one: one.every.rank)

    def _chosen(self, rule: KeepRule, line: Timeline) -> dict[int, Chosen]:
        if not line.points or not rule.keeps_something:
            return {}
        base = self.now if self.policy.ages_when_silent else line.at[0]
        preferred = self.policy.prefer_full
        prefers_base = preferred is not None and rule.every is not Every.POINT and rule.every.rank >= preferred.rank
        return chosen(rule, line, base, prefers_base=prefers_base)

    def _keep_minimums(self, eligible: Sequence[Candidate]) -> None:
        trusted = [one for one in reversed(eligible) if not one.is_suspicious]
        for number, one in enumerate(trusted[: self.policy.minimum_points], 1):
            text = f"point {number} of minimum_points = {self.policy.minimum_points}"
            one.reasons += (Reason(ReasonKind.MINIMUM, text),)
        fulls = (one for one in trusted if one.is_base and one.archive.id.type is BackupType.FULL)
        for number, one in enumerate(islice(fulls, self.policy.minimum_fulls), 1):
            text = f"full archive {number} of minimum_fulls = {self.policy.minimum_fulls}"
            one.reasons += (Reason(ReasonKind.MINIMUM, text),)

    # -- closure -----------------------------------------------------------------------------------------------------

    def _close(self) -> None:
        waiting = [one for one in self.known.values() if one.reasons]
        for_what = {one: _purpose(one.reasons[0]) for one in waiting}
        needed_by: dict[Candidate, NeededBy] = {}
        while waiting:
            one = waiting.pop()
            for is_certain, parents in ((True, one.builds_on), (False, one.may_build_on)):
                for needed in parents:
                    if needed not in for_what:
                        for_what[needed] = for_what[one]
                        waiting.append(needed)
                    needed_by.setdefault(needed, NeededBy()).add(one.archive.id, for_what[one], is_certain=is_certain)
        for needed, by in needed_by.items():
            needed.reasons += tuple(by.reasons())

    # -- the verdict -------------------------------------------------------------------------------------------------

    def _why_gone(self, gone: Iterable[Candidate]) -> Iterator[tuple[Candidate, Reason]]:
        """Each of *gone*, with the reason: the shortest bucket that another point stands for."""
        instead = [(one.from_day, bucket_numbers(one.every), one.reasons) for one in self._instead if one.reasons]
        for one in gone:
            if not one.restores:
                yield one, self._broken_long(one)
                continue
            day = one.local.toordinal()
            for from_day, number_of, reasons in instead:
                if day >= from_day and (reason := reasons.get(number_of(one.local))) is not None:
                    yield one, reason
                    break
            else:
                yield one, _OUT_OF_REACH

    def _broken_long(self, one: Candidate) -> Reason:
        since = self.circumstances.broken_since.get(one.archive.id, self.now)
        text = (
            f"it does not restore, which was noticed at {rfc3339(since)}, more than keep_broken = "
            f"{self.policy.keep_broken} ago"
        )
        return Reason(ReasonKind.BROKEN_LONG, text)

    def _pauses(self, gone: int) -> tuple[Pause, ...]:
        pauses = self.circumstances.pauses
        if gone > FEW_POINTS and gone > self.policy.largest_share * len(self.known):
            reason = (
                f"{counted(gone, 'archive')} of {len(self.known)} would go at once, more than largest_share = "
                f"{self.policy.largest_share:g} of the profile; approve the plan if that is meant"
            )
            return (*pauses, Pause(PauseKind.SHARE, reason))
        return pauses


_OUT_OF_REACH = Reason(ReasonKind.OUT_OF_REACH, "no rule reaches back to it")


def _kept(one: Candidate, only_for: str) -> PruneDecision:
    return PruneDecision(one.archive, True, tuple(dict.fromkeys(one.reasons)), one.restores, only_for)


def _replaced(rule: KeepRule, keeper: Chosen) -> Reason:
    """Why the others of a bucket go, for which *keeper* stands by *rule*."""
    label = keeper.point.archive.id.label
    return Reason(ReasonKind.REPLACED, f"no rule wants it; its {rule.every.noun} is kept by {label}")


_PURPOSES = {
    ReasonKind.YOUNG: ", which is younger than minimum_age",
    ReasonKind.IN_USE: ", which is being read",
    ReasonKind.BROKEN: ", which does not restore and is kept for a while",
    ReasonKind.FUTURE: ", whose time lies in the future",
    ReasonKind.UNKNOWN: ", which may or may not restore",
    ReasonKind.LINKS: ", without which others would be linked otherwise",
}


def _purpose(reason: Reason) -> str:
    """What an archive that stays for *reason* is there for, to put behind its name."""
    if reason.kind is ReasonKind.HOLD:
        return f", which is {reason.text}" if reason.text.startswith("locked") else f", which has a {reason.text}"
    return _PURPOSES.get(reason.kind, f" for {reason.text}")
