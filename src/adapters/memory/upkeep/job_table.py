"""Jobs and their runs, for as long as the process runs."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from attrs import define, evolve, field

from ....domain.errors.jobs import JobOvertaken, JobRunning
from ....domain.jobs.due import JobRecord, covered_by
from ....domain.jobs.run import Run, RunCause, RunOutcome
from ....domain.ports.upkeep.jobs import KEPT_DAYS, KEPT_RUNS
from ....domain.ports.upkeep.leases import lease_of_job
from ..shared.lease_table import MemoryLeaseTable


@define(eq=False)
class MemoryJobTable:
    """`JobTable` in this process's memory, for whoever has *leases*."""

    leases: MemoryLeaseTable = field(factory=MemoryLeaseTable)

    _records: dict[str, JobRecord] = field(factory=dict, init=False)
    _runs: dict[str, list[Run]] = field(factory=dict, init=False)  # the oldest first
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def records(self) -> dict[str, JobRecord]:
        with self._lock:
            return {job: evolve(record, last=self._last(job)) for job, record in self._records.items()}

    def note(self, job: str, stated: str, covered_until: datetime, *, fence: int | None = None) -> None:
        with self._lock:
            self._check_fence(job, fence)
            self._records[job] = JobRecord(stated, covered_until)

    def begin(
        self,
        job: str,
        cause: RunCause,
        now: datetime,
        *,
        who: str | None = None,
        tries: int = 1,
        fence: int | None = None,
    ) -> Run:
        with self._lock:
            self._check_fence(job, fence)
            last, record = self._last(job), self._records.get(job)
            if last is not None and last.outcome is RunOutcome.RUNNING:
                raise JobRunning(job, last.number)
            run = Run(job, 1 if last is None else last.number + 1, cause, now, who=who, tries=tries)
            kept = [one for one in self._runs.get(job, []) if one.started_at >= now - timedelta(days=KEPT_DAYS)]
            self._runs[job] = [*kept[-KEPT_RUNS + 1 :], run]
            if record is None:
                self._records[job] = JobRecord("", now)
            else:
                self._records[job] = JobRecord(record.stated, covered_by(record.covered_until, now))
            return run

    def end(self, run: Run, *, fence: int | None = None) -> None:
        with self._lock:
            self._check_fence(run.job, fence)
            known = self._runs.get(run.job, [])
            self._runs[run.job] = [run if one.number == run.number else one for one in known]

    def runs(self, job: str, *, before: int | None = None, limit: int = 20) -> list[Run]:
        with self._lock:
            known = reversed(self._runs.get(job, []))
        return [run for run in known if before is None or run.number < before][:limit]

    def _check_fence(self, job: str, fence: int | None) -> None:
        if fence is not None and not self.leases.has(lease_of_job(job), fence):
            raise JobOvertaken(job)

    def _last(self, job: str) -> Run | None:
        runs = self._runs.get(job)
        return runs[-1] if runs else None
