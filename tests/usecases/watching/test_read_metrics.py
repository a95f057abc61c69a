"""Measuring a server: nothing is made up, and nothing is stale."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.jobs.job import JobReport, Remark
from tarkeep.domain.jobs.run import RunCause
from tarkeep.domain.profiles.rules import RuleBook
from tarkeep.domain.usecases.watching.read_metrics import JobFigures, Metrics
from tarkeep.domain.watching.kept_status import KeptStatus
from tests.support.clocks import FixedClock
from tests.support.nights import Nights


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path, MemoryArchiveStore(FixedClock()))


def measured(nights: Nights) -> Metrics:
    return nights.tarkeep.read_metrics(lambda _profile: True, with_server=True)


def jobs(nights: Nights) -> tuple[JobFigures, ...]:
    server = measured(nights).server
    assert server is not None
    return server.jobs


def test_the_links_of_a_catalog_that_was_lost_are_worked_out(nights: Nights) -> None:
    """Nobody has to ask for the points first."""
    nights.chain(3)
    nights.catalog.forget_links("laptop", "by older rules")

    (found,) = measured(nights).profiles

    assert (found.chain_archives, found.restorable_at) == (3, found.received_at)


def test_a_job_that_failed_keeps_the_time_of_its_last_success(nights: Nights) -> None:
    table, clock = nights.tarkeep.list_jobs.table, nights.clock
    assert jobs(nights) == ()
    table.note("prune", "daily", clock.now())
    assert jobs(nights) == ()

    good = table.begin("prune", RunCause.SCHEDULED, clock.now()).ended(
        JobReport("nothing", {}, did_something=False), clock.now()
    )
    table.end(good)
    assert jobs(nights) == (JobFigures("prune", good.ended_at, has_failed=False),)

    clock.advance(timedelta(days=1))
    table.end(table.begin("prune", RunCause.SCHEDULED, clock.now()).failed("no disk", clock.now()))
    assert jobs(nights) == (JobFigures("prune", good.ended_at, has_failed=True),)

    clock.advance(timedelta(days=1))
    table.begin("prune", RunCause.SCHEDULED, clock.now())  # what is running has not ended
    assert jobs(nights) == (JobFigures("prune", good.ended_at, has_failed=True),)


def test_a_job_that_never_succeeded_has_no_time(nights: Nights) -> None:
    table, clock = nights.tarkeep.list_jobs.table, nights.clock
    run = table.begin("prune", RunCause.SCHEDULED, clock.now())
    table.end(run.ended(JobReport("failed", {}, did_something=False, problems=(Remark("no disk"),)), clock.now()))
    assert jobs(nights) == (JobFigures("prune", None, has_failed=True),)


def braked(nights: Nights) -> set[str]:
    return set(measured(nights).braked)


def test_a_brake_is_seen_at_once_and_so_is_its_release(nights: Nights) -> None:
    nights.chain(2)
    assert braked(nights) == set()

    nights.clock.advance(timedelta(days=1))
    for number in range(150):
        (nights.root / f"document{number}").write_bytes(b"x")
    nights.night(BackupType.INC)
    for number in range(150):
        (nights.root / f"document{number}").unlink()
    last = nights.night(BackupType.INC)
    assert last in nights.tarkeep.show_brake("laptop")
    assert braked(nights) == {"laptop"}

    nights.tarkeep.release_brake(last)
    assert braked(nights) == set()


def test_a_profile_without_a_policy_is_never_braked(nights: Nights) -> None:
    (id,) = nights.chain(1)
    nights.store.mark(id, b"no marks", None)
    assert braked(nights) == {"laptop"}
    nights.rules.book = RuleBook(())
    assert braked(nights) == set()


def test_marks_that_rot_are_seen_when_the_profile_has_its_turn(nights: Nights) -> None:
    """Nothing in the catalog changes then."""
    (id,) = nights.chain(1)
    assert braked(nights) == set()
    nights.store.mark(id, b"no marks", None)
    assert {"laptop"} in [braked(nights) for _ in range(20)]


def test_what_is_overdue_is_told_as_long_as_it_was_worked_out_from_these_archives(nights: Nights) -> None:
    """Before the watch has looked, and after another archive came, it is not known."""
    nights.chain(1)
    (found,) = measured(nights).profiles
    assert measured(nights).overdue == {}

    now = nights.clock.now()
    kept = KeptStatus("laptop", found.version, "", now, now, now, now, 1, 1, 1, is_overdue=True, is_braked=False)
    nights.tarkeep.read_metrics.statuses.keep([kept])
    assert measured(nights).overdue == {"laptop": True}

    nights.night(BackupType.INC)
    assert measured(nights).overdue == {}
