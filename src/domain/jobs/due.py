"""
When jobs are due.

A run covers all times of its schedule up to its start: so each time is covered by one run, and those that were missed
together by one run together. What was stated anew begins at that moment; nothing of it was missed.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from attrs import frozen

from .job import Job
from .run import Run, RunCause, RunOutcome

MOST_JITTER = timedelta(minutes=5)
_SHARE = 10  # of the time between two runs
MOST_TRIES = 3
"""A run that ends with a crash of the server so many times in a row waits for its next time."""

WRONG_CLOCK = timedelta(days=1)
"""If the times up to a moment so far ahead are covered, they were covered by a clock that was wrong."""


@frozen
class JobRecord:
    """What is known of a job: how its times were *stated* last, up to when they are covered, and its *last* run."""

    stated: str
    covered_until: datetime
    last: Run | None = None


def jitter(job: Job, slot: datetime) -> timedelta:
    """
    How long after the time *slot* of its schedule the job begins, in whole seconds.

    Always the same for a job of a server, at most five minutes, and at most a tenth of the time until the next one.
    """
    if job.timing.schedule is None:
        return timedelta()
    most = min(MOST_JITTER, (job.timing.schedule.after(slot) - slot) / _SHARE)
    drawn = hashlib.sha256(f"{job.server}/{job.name}".encode()).digest()
    return timedelta(seconds=int(most.total_seconds() * int.from_bytes(drawn[:4]) / 2**32))


def believed(covered_until: datetime, now: datetime) -> datetime:
    """Up to when times are covered, seen at *now*: a clock that was far ahead is not believed."""
    return now if covered_until > now + WRONG_CLOCK else covered_until


def covered_by(covered_until: datetime, now: datetime) -> datetime:
    """Up to when times are covered once a run began *now*; a clock that was set back a little covers none twice."""
    return max(believed(covered_until, now), now)


def next_at(job: Job, record: JobRecord | None, now: datetime) -> datetime | None:
    """When the job begins next by its schedule, perhaps in the past; None if never. Without a *record* after *now*."""
    if job.timing.schedule is None:
        return None
    known = record is not None and record.stated == job.timing.stated
    slot = job.timing.schedule.after(believed(record.covered_until, now) if known and record is not None else now)
    return slot + jitter(job, slot)


def due(
    job: Job, record: JobRecord, now: datetime, serving_since: datetime, *, is_start: bool = False
) -> RunCause | None:
    """
    Why the job is to run now, by itself; None if it is not.

    The server runs since *serving_since*. At its start, *is_start*, what was interrupted goes on.
    """
    last, start = record.last, next_at(job, record, now)
    if start is None:
        return None
    if is_start and last is not None and last.outcome is RunOutcome.INTERRUPTED and not _is_in_vain(last):
        return RunCause.CONTINUED
    if start > now:
        return None
    return RunCause.MISSED if start < serving_since else RunCause.SCHEDULED


def _is_in_vain(last: Run) -> bool:
    return last.ended_at is None and last.tries >= MOST_TRIES
