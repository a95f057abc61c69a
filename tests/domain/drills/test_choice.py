"""Which profile, which point, which way, and which folders."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tarkeep.domain.drills.choice import DrillEvery, chosen_folders, chosen_point, chosen_way, next_profile
from tarkeep.domain.drills.drill import Drill, DrillOutcome, DrillWay
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.profiles.span import Span, Unit
from tests.contracts.drill_table import a_drill
from tests.support.archives import NOON

DAY = timedelta(days=1)


def drilled(days_ago: int, outcome: DrillOutcome = DrillOutcome.EQUAL) -> Drill:
    return a_drill(outcome=outcome, started_at=NOON - days_ago * DAY)


def test_what_was_never_drilled_comes_first_then_what_waits_longest() -> None:
    last = {"a": drilled(20), "b": drilled(40), "d": drilled(3)}
    due = dict.fromkeys("abcd", NOON - 15 * DAY)

    order = []
    waiting = list("abcd")
    while (found := next_profile(waiting, last, due)) is not None:
        order.append(found)
        waiting.remove(found)
    assert order == ["c", "b", "a"]


@pytest.mark.parametrize("outcome", [DrillOutcome.FAILED, DrillOutcome.DIFFERENT])
def test_what_did_not_end_well_is_due_again(outcome: DrillOutcome) -> None:
    assert next_profile(["a"], {"a": drilled(1, outcome)}, {"a": NOON - 15 * DAY}) == "a"
    assert next_profile(["a"], {"a": drilled(1)}, {"a": NOON - 15 * DAY}) is None


def test_a_profile_is_due_after_half_the_time() -> None:
    every = DrillEvery(Span(30, Unit.DAY))

    assert every.due_before(NOON) == NOON - 15 * DAY
    assert every.behind_before(NOON) == NOON - 30 * DAY


def test_four_drills_restore_the_newest_and_another_point_both_ways() -> None:
    points = [ArchiveId("laptop", BackupType.FULL, f"{number}.tar.gz") for number in range(50)]

    ways = [chosen_way(turn, is_sound=True, is_part=False) for turn in range(4)]
    assert [chosen_point(points, turn, "x") is points[-1] for turn in range(4)] == [True, True, False, False]
    assert ways == [DrillWay.PLAN, DrillWay.MERGED] * 2
    assert len({chosen_point(points, 2, str(seed)).name for seed in range(200)}) > 40


def test_what_tar_alone_would_not_restore_right_is_put_together_by_the_server() -> None:
    assert chosen_way(0, is_sound=False, is_part=False) is DrillWay.MERGED
    assert chosen_way(0, is_sound=True, is_part=True) is DrillWay.MERGED


def test_folders_fit_and_do_not_overlap() -> None:
    sizes = {b"": 100, b"a": 60, b"a/x": 30, b"a/y": 30, b"b": 40, b"c": 0}

    seen: set[bytes] = set()
    for seed in range(100):
        folders = chosen_folders(sizes, 70, str(seed))
        assert sum(sizes[folder] for folder in folders) <= 70
        assert folders
        assert not any(one != other and one.startswith(other) for one in folders for other in folders)
        seen.update(folders)
    assert seen == {b"a", b"a/x", b"a/y", b"b"}


def test_the_smallest_folder_is_taken_if_none_fits() -> None:
    assert chosen_folders({b"": 300, b"a": 200, b"b": 100}, 10, "x") == (b"b",)
    assert chosen_folders({b"": 300}, 10, "x") == ()
