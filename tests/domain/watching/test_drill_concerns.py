"""What about the drills of a profile is not as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from attrs import evolve

from tarkeep.domain.drills.drill import Drill, DrillKind, DrillOutcome
from tarkeep.domain.watching.drill_concerns import DrillFacts, drill_concerns
from tarkeep.domain.watching.light import ConcernKind, Light
from tests.contracts.drill_table import REPORT, a_drill
from tests.support.archives import NOON

DAY = timedelta(days=1)
BEHIND, DIFFERENT = ConcernKind.DRILL_BEHIND, ConcernKind.DRILL_DIFFERENT


def ended(days_ago: int, outcome: DrillOutcome = DrillOutcome.EQUAL, kind: DrillKind = DrillKind.DRILL) -> Drill:
    return a_drill(outcome=outcome, started_at=NOON - days_ago * DAY, report=REPORT, kind=kind)


def rehearsed(days_ago: int, outcome: DrillOutcome = DrillOutcome.EQUAL) -> Drill:
    return ended(days_ago, outcome, DrillKind.REHEARSAL)


def kinds(
    drills: Sequence[Drill] = (), rehearsals: Sequence[Drill] = (), *, has_runner: bool = False, age: int = 99
) -> list[ConcernKind]:
    facts = DrillFacts(drills, rehearsals, has_runner, NOON - age * DAY, NOON - 30 * DAY)
    return [concern.kind for concern in drill_concerns(facts)]


def test_a_profile_that_is_new_is_not_behind() -> None:
    assert kinds(age=29) == []
    assert kinds(age=31) == [BEHIND]


def test_a_rehearsal_is_enough_only_where_no_machine_drills() -> None:
    """It proves less, and is never taken for a drill."""
    assert kinds(rehearsals=[rehearsed(1)]) == []
    assert kinds(rehearsals=[rehearsed(1)], has_runner=True) == [BEHIND]
    assert kinds([ended(1)], has_runner=True) == []
    assert kinds([ended(40)], [rehearsed(1)], has_runner=True) == [BEHIND]


def test_only_success_counts() -> None:
    assert kinds([ended(1, DrillOutcome.FAILED), ended(2, DrillOutcome.OPEN)], has_runner=True) == [BEHIND]
    assert kinds([ended(1, DrillOutcome.FAILED), ended(2)], has_runner=True) == []


@pytest.mark.parametrize("kind", list(DrillKind))
def test_a_difference_is_red_until_one_is_equal_again(kind: DrillKind) -> None:
    """It is told whether a drill or a rehearsal found it."""
    different = evolve(ended(1), outcome=DrillOutcome.DIFFERENT, kind=kind)
    drills, rehearsals = ([different], []) if kind is DrillKind.DRILL else ([], [different])
    facts = DrillFacts(drills, rehearsals, True, NOON, NOON - 30 * DAY)
    (concern,) = drill_concerns(facts)

    assert (concern.kind, concern.light) == (DIFFERENT, Light.RED)
    assert concern.text == (
        f"a {kind.value} of INC/größe.tar.gz at 2026-11-22T12:00:00Z found 1 name different: a\\xff/b is missing"
    )
    assert kinds([ended(0), ended(1, DrillOutcome.DIFFERENT)], has_runner=True) == []
    assert kinds([ended(0, DrillOutcome.FAILED), ended(1, DrillOutcome.DIFFERENT), ended(2)]) == [DIFFERENT]
