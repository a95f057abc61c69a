"""Rehearsals: what is put together is read to its end, and is what the archives have; where a machine drills, none."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.domain.archives.archive import ArchiveState
from tarkeep.domain.drills.drill import DrillKind, DrillOutcome
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.jobs.job import JobReport
from tarkeep.domain.jobs.run import RunOutcome
from tests.support.clocks import FixedClock
from tests.support.nights import Nights


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    nights = Nights(tmp_path, MemoryArchiveStore(FixedClock()))
    nights.chain(3)
    return nights


def rehearse(nights: Nights) -> JobReport:
    nights.tarkeep.ask_for_run("rehearse", "host")
    nights.tarkeep.run_due_jobs(lambda: True, lambda _run, _error: None, asked_only=True)
    (run,) = nights.tarkeep.list_runs("rehearse", limit=1)
    assert run.report is not None
    assert run.outcome in (RunOutcome.DONE, RunOutcome.NOTHING)
    return run.report


def test_the_newest_point_is_rehearsed_once_and_told_as_a_rehearsal(nights: Nights) -> None:
    assert rehearse(nights).counts == {"rehearsed": 1}
    (drill,) = nights.tarkeep.list_drills(lambda _: True)

    assert (drill.kind, drill.outcome) == (DrillKind.REHEARSAL, DrillOutcome.EQUAL)
    assert drill.point.name == "night02.tar.gz"
    assert drill.report.expected == drill.report.names > 3
    facts = nights.tarkeep.check_profile("laptop").facts.drills
    assert facts is not None
    assert (facts.drilled, facts.rehearsed) == (None, drill)

    assert rehearse(nights).counts == {"rehearsed": 0}
    nights.clock.advance(timedelta(days=16))
    assert rehearse(nights).counts == {"rehearsed": 1}


def test_where_a_machine_drills_nothing_is_rehearsed(nights: Nights) -> None:
    assert nights.tarkeep.open_drill(lambda _: True, None, "laptop") is not None

    assert rehearse(nights).summary == "nothing was rehearsed: some machine runs drills"


def test_damage_is_met_and_told(nights: Nights) -> None:
    """It is no difference, but the rehearsal failed, and the archive is known to be damaged."""
    first = nights.sent[0][0]
    held = nights.store.archives[first]  # type: ignore[attr-defined]
    content = bytearray(held.content)
    content[len(content) // 2] ^= 16
    held.content = bytes(content)

    report = rehearse(nights)

    assert report.problems
    (drill,) = nights.tarkeep.list_drills(lambda _: True)
    assert drill.outcome is DrillOutcome.FAILED
    assert nights.catalog.find(first).state is ArchiveState.DAMAGED
    assert first.type is BackupType.FULL
