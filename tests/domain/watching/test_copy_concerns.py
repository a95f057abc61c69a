"""When a copy of another server's archives is behind, and what is told then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from tarkeep.domain.jobs.job import JobReport, Remark
from tarkeep.domain.jobs.run import Run, RunCause, RunOutcome
from tarkeep.domain.watching.copy_concerns import copy_concerns
from tarkeep.domain.watching.light import ConcernKind, Light

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def run(
    hours: float,
    outcome: RunOutcome = RunOutcome.DONE,
    problems: tuple[Remark, ...] = (),
    waits: tuple[Remark, ...] = (),
) -> Run:
    """A run that began so many hours ago."""
    report = JobReport("as usual", {"failed": 2} if problems else {}, True, waits, problems)
    return Run("replicate", 1, RunCause.SCHEDULED, NOW - timedelta(hours=hours), outcome, report=report)


def told(runs: Sequence[Run], *, is_scheduled: bool = True) -> list[tuple[Light, str, str]]:
    found = list(copy_concerns(runs, NOW, is_scheduled=is_scheduled))
    assert {one.kind for one in found} <= {ConcernKind.COPY_BEHIND}
    return [(one.light, one.subject, one.text) for one in found]


def test_a_copy_that_is_made_is_not_behind() -> None:
    """Nor one that was never made, or whose first run is under way, or that failed a moment ago."""
    assert told([]) == []
    assert told([run(1, RunOutcome.NOTHING)]) == []
    assert told([run(100, RunOutcome.RUNNING)]) == []
    assert told([run(0.1, RunOutcome.FAILED), run(1)]) == []


def test_a_copy_that_does_not_come_to_an_end_is_behind() -> None:
    """Whether it fails, is interrupted each time, or hangs; unless nobody wants it to be made by itself."""
    late = (Light.RED, "late", "no run of copying from the other server came to its end since 2026-11-29T11:00:00Z")
    for runs in (
        [run(1, RunOutcome.FAILED), run(25)],
        [run(1, RunOutcome.INTERRUPTED), run(2, RunOutcome.INTERRUPTED), run(25)],
        [run(24.5, RunOutcome.RUNNING), run(25)],
        [run(1, RunOutcome.FAILED), run(25, RunOutcome.FAILED)],
    ):
        assert told(runs) == [late]
        assert told(runs, is_scheduled=False) == []


def test_what_a_run_left_out_is_told_until_a_run_leaves_nothing_out() -> None:
    left = run(1, problems=(Remark("FULL/a.tar.gz: it is no gzip", "web"),))
    text = "2 things are not here as on the other server, such as web: FULL/a.tar.gz: it is no gzip"
    assert told([left]) == [(Light.YELLOW, "incomplete", text)]
    assert told([run(0.1, RunOutcome.RUNNING), left], is_scheduled=False) == [(Light.YELLOW, "incomplete", text)]
    assert told([run(0.1), left]) == []
    differing = run(1, waits=(Remark("FULL/a.tar.gz has other bytes there", "web"),))
    assert [one[0] for one in told([differing])] == [Light.YELLOW]
