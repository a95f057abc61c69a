"""Whether the archives of another server are copied here as they should be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from ..jobs.run import Run, RunOutcome
from ..text.counted import counted
from ..text.times import rfc3339
from .light import Concern, ConcernKind, Light

COPIED_WITHIN = timedelta(days=1)
"""So long after the last run that came to its end, a copy that is to be made by itself is behind."""

_ENDED = (RunOutcome.DONE, RunOutcome.NOTHING)


def copy_concerns(runs: Sequence[Run], now: datetime, *, is_scheduled: bool) -> Iterator[Concern]:
    """
    What is not as it should be, by the last *runs* of the job, the newest first.

    A run that failed is told as that of any job; here is told what runs leave out, and that none comes to its end.
    """
    known = [run for run in runs if run.outcome is not RunOutcome.RUNNING]
    ended = next((run for run in known if run.outcome in _ENDED), None)
    since = ended.started_at if ended is not None else known[-1].started_at if known else now
    if is_scheduled and now - since > COPIED_WITHIN:
        text = f"no run of copying from the other server came to its end since {rfc3339(since)}"
        yield Concern(ConcernKind.COPY_BEHIND, Light.RED, text, "late")
    if ended is None or ended.report is None:
        return
    remarks = (*ended.report.waits, *ended.report.problems)
    if remarks:
        count = ended.report.counts.get("differing", 0) + ended.report.counts.get("failed", 0)
        whose = f"{remarks[0].profile}: " if remarks[0].profile else ""
        things = counted(max(count, len(remarks)), "thing is", "things are")
        text = f"{things} not here as on the other server, such as {whose}{remarks[0].text}"
        yield Concern(ConcernKind.COPY_BEHIND, Light.YELLOW, text, "incomplete")
