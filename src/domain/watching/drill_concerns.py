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
        return last_judged(self.drills)

    @property
    def rehearsed(self) -> Drill | None:
        """The last rehearsal that was judged."""
        return last_judged(self.rehearsals)

    @property
    def proven_at(self) -> datetime | None:
        """When a drill, or a rehearsal where that is enough, last found everything equal; None if none did yet."""
        proofs = (self.drills,) if self.has_runner else (self.drills, self.rehearsals)
        equal = [found for proof in proofs if (found := _first(proof, (DrillOutcome.EQUAL,))) is not None]
        return max((one.started_at for one in equal), default=None)

    @property
    def counts_from(self) -> datetime:
        """From when on it is counted how long nothing was proven."""
        return self.proven_at or self.since


def last_judged(drills: Sequence[Drill]) -> Drill | None:
    """The first of *drills* that was judged."""
    return _first(drills, _JUDGED)


def drill_concerns(facts: DrillFacts) -> Iterator[Concern]:
    """What is not as it should be."""
    for last in (facts.drilled, facts.rehearsed):
        if last is not None and last.outcome is DrillOutcome.DIFFERENT:
            yield Concern(ConcernKind.DRILL_DIFFERENT, Light.RED, _different(last), last.kind.value)
    if facts.counts_from < facts.behind_before:
        what = "restored as a drill" if facts.has_runner else "drilled or rehearsed"
        last_at = facts.proven_at
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
