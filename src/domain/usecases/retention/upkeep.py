"""
What the server does by itself about retention: pruning every profile that has a policy, and emptying the trash.

Each removal is a line in the audit log, as if somebody had asked for it.
"""

from __future__ import annotations

from datetime import timedelta

from attrs import define, field, frozen

from ...access.audit import HOST, AuditEntry
from ...access.on_record import PURGED, OnRecord
from ...errors.archives import ProfileNotFound
from ...errors.retention import PrunePaused
from ...identity.archive_id import ArchiveId
from ...jobs.job import GoOn, JobReport, Remark
from ...ports.access import AuditLog
from ...ports.catalog import Catalog
from ...ports.store import ArchiveStore
from ...ports.system import Clock
from ...profiles.rules import Rules
from ...retention.decisions import PruneDecision, PrunePlan
from ...tarkeep_error import TarkeepError
from ...text.counted import counted
from .apply_prune import ApplyPrune
from .trash import PurgeReport, PurgeTrash, purge_is_told
from .watch_clock import WatchClock

QUARANTINED_FOR = timedelta(days=30)


@define
class _Account:
    """What a run has done so far, and the audit log of it."""

    audit: AuditLog
    clock: Clock
    removed: int = 0
    removed_bytes: int = 0
    waits: list[Remark] = field(factory=list)
    problems: list[Remark] = field(factory=list)

    def enter(self, id: ArchiveId, sha256: str | None, result: str) -> None:
        try:
            self.audit.append(AuditEntry(self.clock.now(), HOST, "", str(id), sha256, result))
        except TarkeepError as error:  # it is removed all the same
            self.problems.append(Remark(f"{id} is not in the audit log: {error}", id.profile))


@frozen
class PruneProfiles:
    """Carry out the present plan of every profile with a policy, unless it waits for a person."""

    apply: ApplyPrune
    catalog: Catalog
    rules: Rules
    clock: Clock
    audit: AuditLog
    watch_clock: WatchClock

    def __call__(self, go_on: GoOn) -> JobReport:
        """
        Prune one profile after the other; what goes wrong with one does not keep the others.

        Raises:
            BackendUnavailable: the catalog or what was noted of the clock cannot be read.
        """
        account = _Account(self.audit, self.clock)
        doubt = self.watch_clock().doubt
        if doubt:
            return JobReport(f"nothing was removed: {doubt}", _counts(account, 0), False, (Remark(doubt),))
        profiles = sorted({row.profile for row in self.catalog.totals()})
        looked_at = 0
        for profile in profiles:
            if self.rules.of(profile).retention is not None:
                if not go_on():
                    break
                looked_at += 1
                self._prune(profile, go_on, account)
        return self._report(account, looked_at, is_stopped=not go_on())

    def _prune(self, profile: str, go_on: GoOn, account: _Account) -> None:
        def tell(decision: PruneDecision, _plan: PrunePlan) -> None:
            account.removed += 1
            account.removed_bytes += decision.archive.size_bytes

        record = OnRecord(HOST, "the job prune, plan", account.enter)
        try:
            self.apply(profile, None, record=record, tell=tell, go_on=go_on)
        except PrunePaused as error:
            account.waits += [Remark(reason, profile) for reason in error.reasons]
        except ProfileNotFound:  # its last archive went meanwhile
            pass
        except TarkeepError as error:
            account.problems.append(Remark(str(error), profile))

    def _report(self, account: _Account, looked_at: int, *, is_stopped: bool) -> JobReport:
        profiles = counted(looked_at, "profile")
        summary = f"{counted(account.removed, 'archive')} of {profiles} moved to the trash"
        if not looked_at:
            summary = "no profile has a retention policy"
        waiting = len({remark.profile for remark in account.waits})
        if looked_at and not account.removed:
            summary = f"nothing was removed of {profiles}" if waiting else f"nothing to remove in {profiles}"
        if waiting:
            summary += f"; {counted(waiting, 'profile waits', 'profiles wait')} for a person"
        return JobReport(
            summary,
            _counts(account, looked_at),
            bool(account.removed),
            tuple(account.waits),
            tuple(account.problems),
            is_stopped,
        )


def _counts(account: _Account, looked_at: int) -> dict[str, int]:
    waiting = len({remark.profile for remark in account.waits})
    return {
        "profiles": looked_at,
        "removed": account.removed,
        "removed_bytes": account.removed_bytes,
        "paused": waiting,
        "problems": len(account.problems),
    }


@frozen
class EmptyTrash:
    """Remove for good what was in the trash long enough, and replaced bytes that were in the quarantine long enough."""

    store: ArchiveStore
    purge: PurgeTrash
    clock: Clock
    audit: AuditLog

    def __call__(self, go_on: GoOn) -> JobReport:
        """
        Purge once.

        Raises:
            BackendUnavailable: the trash or what was noted of the clock cannot be read.
        """
        account = _Account(self.audit, self.clock)

        def tell(purged: ArchiveId, again: bool) -> None:
            if not (again and purge_is_told(purged, self.audit)):
                account.enter(purged, None, f"{PURGED} by the job purge")

        report = self.purge(go_on, tell)
        account.removed = len(report.purged)
        counts = {"purged": account.removed, "forgotten": report.forgotten, "left": len(report.left), "quarantine": 0}
        if report.stopped:
            return JobReport(f"nothing was removed: {report.stopped}", counts, False, (Remark(report.stopped),))
        counts["quarantine"] = dropped = self.store.empty_quarantine(self.clock.now() - QUARANTINED_FOR)
        account.waits += _left(report)
        account.problems += [Remark(f"{id} in the trash: {reason}", id.profile) for id, reason in report.failed]
        if report.unrecorded:
            account.problems.append(Remark(report.unrecorded))
        done = [counted(account.removed, "archive") + " removed for good"] if account.removed else []
        if report.forgotten:
            done.append(counted(report.forgotten, "name") + " forgotten")
        if dropped:
            done.append(counted(dropped, "damaged copy", "damaged copies") + " dropped")
        return JobReport(
            " and ".join(done) or "nothing was in the trash long enough",
            counts,
            bool(done),
            tuple(account.waits),
            tuple(account.problems),
            report.is_unfinished,
        )


def _left(report: PurgeReport) -> list[Remark]:
    """One remark for all archives of a profile that stay for one reason."""
    by_reason: dict[tuple[str, str], list[ArchiveId]] = {}
    for id, reason in report.left:
        by_reason.setdefault((id.profile, reason), []).append(id)
    return [
        Remark(
            f"{ids[0]} stays in the trash: {reason}"
            if len(ids) == 1
            else f"{counted(len(ids), 'archive')} of {profile} stay in the trash: {reason}",
            profile,
        )
        for (profile, reason), ids in by_reason.items()
    ]
