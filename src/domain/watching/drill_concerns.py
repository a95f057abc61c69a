"""What about the drills of a profile is not as it should be. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from attrs import frozen

from ..drills.drill import Drill, DrillKind, DrillOutcome
from ..text.counted import counted
from ..text.paths import path_text
from ..text.times import rfc3339
from .light import Concern, ConcernKind, Light

_JUDGED = (DrillOutcome.EQUAL, DrillOutcome.DIFFERENT)
_A = {DrillKind.DRILL: "a drill", DrillKind.REHEARSAL: "a rehearsal"}


@frozen
class DrillFacts:
    """
    What is known of the drills of a profile: its last *drills* and *rehearsals*, the newest first.

    *has_runner*: some machine drills the points of this server; then a rehearsal, which proves less, is not enough.
    Whatever was restored before *behind_before* is too long ago; *since* is when the profile got its first archive.
    """

    drills: Sequence[Drill]
    rehearsals: Sequence[Drill]
    has_runner: bool
    since: datetime
    behind_before: datetime

    @property
    def drilled(self) -> Drill | None:
        """The last drill that was judged."""
        return _first(self.drills, _JUDGED)

    @property
    def rehearsed(self) -> Drill | None:
        """The last rehearsal that was judged."""
        return _first(self.rehearsals, _JUDGED)


def drill_concerns(facts: DrillFacts) -> Iterator[Concern]:
    """What is not as it should be."""
    for last in (facts.drilled, facts.rehearsed):
        if last is not None and last.outcome is DrillOutcome.DIFFERENT:
            yield Concern(ConcernKind.DRILL_DIFFERENT, Light.RED, _different(last), last.kind.value)
    proofs = (facts.drills,) if facts.has_runner else (facts.drills, facts.rehearsals)
    equal = [found for proof in proofs if (found := _first(proof, (DrillOutcome.EQUAL,))) is not None]
    last_at = max((one.started_at for one in equal), default=None)
    if (facts.since if last_at is None else last_at) < facts.behind_before:
        what = "restored as a drill" if facts.has_runner else "drilled or rehearsed"
        when = "yet" if last_at is None else f"since {rfc3339(last_at.replace(microsecond=0))}"
        yield Concern(ConcernKind.DRILL_BEHIND, Light.YELLOW, f"no point was {what} with success {when}")


def _different(drill: Drill) -> str:
    when, report = rfc3339(drill.started_at.replace(microsecond=0)), drill.report
    text = f"{_A[drill.kind]} of {drill.point.label} at {when} found {counted(report.different, 'name')} different"
    if report.differences:
        first = report.differences[0]
        text += f": {path_text(first.path[:200]) or 'the top directory'} {first.what}"
    return text


def _first(drills: Sequence[Drill], outcomes: Sequence[DrillOutcome]) -> Drill | None:
    return next((drill for drill in drills if drill.outcome in outcomes), None)
