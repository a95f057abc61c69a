"""Jobs and their runs in the database of the SQL catalog."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from attrs import asdict, frozen
from sqlalchemy import bindparam, delete, func, literal, select, update

from ....domain.errors.jobs import JobOvertaken, JobRunning
from ....domain.jobs.due import JobRecord, covered_by
from ....domain.jobs.job import JobReport, Remark
from ....domain.jobs.run import Run, RunCause, RunOutcome
from ....domain.ports.upkeep.jobs import KEPT_DAYS, KEPT_RUNS
from ....domain.ports.upkeep.leases import lease_of_job
from ....domain.text.paths import whole
from ..rows import Query, Rows, Values, as_written, microseconds, time_of
from ..schema import jobs, runs
from ..shared.lease_rows import is_current
from ..statements import Transaction

_Result = TypeVar("_Result")


class _Read(Protocol):
    def __call__(self, statement: Query, values: Values) -> Rows: ...


class _Write(Protocol):
    def __call__(self, work: Callable[[Transaction], _Result]) -> _Result: ...


@frozen
class SqlJobTable:
    """`JobTable` in a database, by the queries and the transactions of its catalog."""

    _all: _Read
    _write: _Write

    def records(self) -> dict[str, JobRecord]:
        rows = self._all(_RECORDS, {})
        with as_written():
            return {
                job: JobRecord(stated, time_of(covered_us), None if last[0] is None else _run(job, *last))
                for job, stated, covered_us, *last in rows
            }

    def note(self, job: str, stated: str, covered_until: datetime, *, fence: int | None = None) -> None:
        def enter(transaction: Transaction) -> None:
            _check(transaction, job, fence)
            _note(transaction, job, stated, covered_until)

        self._write(enter)

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
        def enter(transaction: Transaction) -> Run:
            _check(transaction, job, fence)
            last, record = _known(transaction, job, now)
            if last is not None and last.outcome is RunOutcome.RUNNING:
                raise JobRunning(job, last.number)
            run = Run(job, 1 if last is None else last.number + 1, cause, now, who=who, tries=tries)
            transaction.run(_ENTER, _values(run))
            oldest = microseconds(now - timedelta(days=KEPT_DAYS))
            transaction.run(
                _DROP, {"of_job": job, "new": run.number, "least": run.number - KEPT_RUNS, "oldest": oldest}
            )
            _note(transaction, job, record.stated, covered_by(record.covered_until, now))
            return run

        return self._write(enter)

    def end(self, run: Run, *, fence: int | None = None) -> None:
        values = _values(run)
        values |= {"of_job": values.pop("job"), "of_number": values.pop("number")}

        def enter(transaction: Transaction) -> None:
            _check(transaction, run.job, fence)
            transaction.run(_END, values)

        self._write(enter)

    def runs(self, job: str, *, before: int | None = None, limit: int = 20) -> list[Run]:
        rows = self._all(_RUNS, {"job": job, "before": _LARGEST if before is None else before, "limit": limit})
        with as_written():
            return [_run(job, *row) for row in rows]


def _check(transaction: Transaction, job: str, fence: int | None) -> None:
    if fence is not None and not is_current(transaction, lease_of_job(job), fence):
        raise JobOvertaken(job)


def _known(transaction: Transaction, job: str, now: datetime) -> tuple[Run | None, JobRecord]:
    """The last run of *job*, and what was noted of it."""
    with as_written():
        last = next((_run(job, *row) for row in transaction.rows(_LAST, {"job": job})), None)
        noted = transaction.rows(_NOTED, {"job": job})
        return last, JobRecord(noted[0][0], time_of(noted[0][1])) if noted else JobRecord("", now)


def _note(transaction: Transaction, job: str, stated: str, covered_until: datetime) -> None:
    transaction.run(_FORGET, {"job": job})
    transaction.run(_NOTE, {"job": job, "stated": stated, "covered_us": microseconds(covered_until)})


def _values(run: Run) -> Values:
    return {
        "job": run.job,
        "number": run.number,
        "cause": run.cause.value,
        "who": run.who,
        "tries": run.tries,
        "started_us": microseconds(run.started_at),
        "ended_us": None if run.ended_at is None else microseconds(run.ended_at),
        "outcome": run.outcome.value,
        "report": None if run.report is None else _report_text(run.report),
        "error": whole(run.error),
    }


def _run(
    job: str,
    number: int,
    cause: str,
    who: str | None,
    tries: int,
    started_us: int,
    ended_us: int | None,
    outcome: str,
    report: str | None,
    error: str,
) -> Run:
    return Run(
        job,
        number,
        RunCause(cause),
        time_of(started_us),
        RunOutcome(outcome),
        None if ended_us is None else time_of(ended_us),
        None if report is None else _report(report),
        error,
        who,
        tries,
    )


def _report_text(report: JobReport) -> str:
    return json.dumps(asdict(report))


def _report(text: str) -> JobReport:
    told: dict[str, Any] = json.loads(text)
    waits, problems = (tuple(Remark(**one) for one in told[which]) for which in ("waits", "problems"))
    return JobReport(**{**told, "waits": waits, "problems": problems})


_LARGEST = 2**63 - 1
_j, _r = jobs.c, runs.c
_RUN = (
    _r.number,
    _r.cause,
    _r.who,
    _r.tries,
    _r.started_us,
    _r.ended_us,
    _r.outcome,
    _r.report,
    _r.error,
)
_of_job = _r.job == bindparam("job")

_newest = runs.alias()
_last_of_job = select(func.max(_newest.c.number)).where(_newest.c.job == _j.job).correlate(jobs).scalar_subquery()
_RECORDS = select(_j.job, _j.stated, _j.covered_us, *_RUN).outerjoin_from(
    jobs, runs, (_r.job == _j.job) & (_r.number == _last_of_job)
)
_LAST = select(*_RUN).where(_of_job).order_by(_r.number.desc()).limit(literal(1))
_RUNS = (
    select(*_RUN).where(_of_job, _r.number < bindparam("before")).order_by(_r.number.desc()).limit(bindparam("limit"))
)
_NOTED = select(_j.stated, _j.covered_us).where(_j.job == bindparam("job"))
_FORGET = delete(jobs).where(_j.job == bindparam("job"))
_NOTE = jobs.insert().inline()
_ENTER = runs.insert().inline()
_DROP = delete(runs).where(
    _r.job == bindparam("of_job"),
    _r.number < bindparam("new"),
    (_r.number <= bindparam("least")) | (_r.started_us < bindparam("oldest")),
)
_END = update(runs).where(_r.job == bindparam("of_job"), _r.number == bindparam("of_number"))
