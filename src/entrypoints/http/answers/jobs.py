"""Jobs and their runs as JSON."""

from __future__ import annotations

from collections.abc import Iterable

from ....domain.access.tokens import Principal
from ....domain.jobs.job import Remark
from ....domain.jobs.run import Run
from ....domain.text.times import rfc3339
from ....domain.usecases.jobs.show_jobs import ShownJob


def job_json(job: ShownJob, principal: Principal) -> dict[str, object]:
    """A job: when it runs, and its last run as *principal* may see it."""
    return {
        "name": job.name,
        "schedule": job.timing.line,
        "time_zone": job.timing.zone,
        "next_at": job.next_at and rfc3339(job.next_at),
        "last_run": job.last and run_json(job.last, principal),
    }


def run_json(run: Run, principal: Principal) -> dict[str, object]:
    """A run; a principal for some profiles is not told of others, nor what all came to, nor of an error."""
    report = run.report
    sums = report if principal.sees_everything else None
    return {
        "job": run.job,
        "run": run.number,
        "cause": run.cause.value,
        "who": run.who,
        "started_at": rfc3339(run.started_at),
        "ended_at": run.ended_at and rfc3339(run.ended_at),
        "outcome": run.outcome.value,
        "summary": "" if sums is None else sums.summary,
        "counts": {} if sums is None else dict(sums.counts),
        "waits": [] if report is None else [_remark(one) for one in visible(report.waits, principal)],
        "problems": [] if report is None else [_remark(one) for one in visible(report.problems, principal)],
        "error": run.error if principal.sees_everything or not run.error else "the job failed",
    }


def visible(remarks: Iterable[Remark], principal: Principal) -> list[Remark]:
    """Those of *remarks* that *principal* may see: about profiles that they see, and about the whole server."""
    return [remark for remark in remarks if remark.profile is None or principal.sees(remark.profile)]


def _remark(remark: Remark) -> dict[str, object]:
    return {"profile": remark.profile, "detail": remark.text}
