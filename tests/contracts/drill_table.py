"""What every `DrillTable` promises."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve

from tarkeep.domain.drills.comparison import NameDiffers
from tarkeep.domain.drills.drill import Drill, DrilledArchive, DrillKind, DrillOutcome, DrillReport, DrillWay
from tarkeep.domain.errors.drills import DrillNotFound
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.ports.upkeep.drills import KEPT_DRILLS, DrillTable
from tests.support.archives import NOON

MOMENT = NOON + timedelta(microseconds=123_456)
MINUTE = timedelta(minutes=1)
REPORT = DrillReport(
    expected=3,
    names=2,
    restored_bytes=1 << 40,
    seconds=0.25,
    different=1,
    differences=(NameDiffers(b"a\xff/b", "is missing"),),
    not_compared=("owners", "1 device"),
    tar="tar (GNU tar) 1.34",
    sandbox="bwrap",
    said=("a: Cannot mknod: \u2014", "b"),
    error="",
)


def a_drill(id: str = "one", profile: str = "laptop", kind: DrillKind = DrillKind.DRILL, **others: object) -> Drill:
    point = ArchiveId(profile, BackupType.INC, "größe.tar.gz")
    archive = DrilledArchive(point, "ab" * 32, 1 << 33, is_incremental=True)
    drill = Drill(id, kind, point, 3, DrillWay.MERGED, (archive,), MOMENT, "63c5ujmz", False, (b"f\xff",), 0.5)
    return evolve(drill, **others)  # type: ignore[arg-type]


def ended(table: DrillTable, drill: Drill, outcome: DrillOutcome = DrillOutcome.EQUAL) -> Drill:
    table.begin(drill)
    done = drill.ended(outcome, drill.started_at + MINUTE, REPORT)
    table.end(done)
    return done


class DrillTableContract:
    """A test module provides the fixture ``table``: without drills."""

    def test_nothing_is_known_at_first(self, table: DrillTable) -> None:
        assert table.recent() == []
        assert table.latest(DrillKind.DRILL) == {}
        with pytest.raises(DrillNotFound):
            table.find("one")

    def test_a_drill_is_known_as_it_began_and_as_it_ended(self, table: DrillTable) -> None:
        drill = a_drill()
        table.begin(drill)

        assert table.find("one") == drill
        assert table.latest(DrillKind.DRILL) == {}

        done = drill.ended(DrillOutcome.DIFFERENT, MOMENT + MINUTE, REPORT)
        table.end(done)

        assert table.find("one") == done
        assert table.latest(DrillKind.DRILL) == {"laptop": done}

    def test_only_what_is_open_ends(self, table: DrillTable) -> None:
        """A second report changes nothing, and neither does one for a drill that was never begun."""
        done = ended(table, a_drill())

        for other in (evolve(done, outcome=DrillOutcome.FAILED), a_drill("two")):
            with pytest.raises(DrillNotFound):
                table.end(other)
        assert table.recent() == [done]

    def test_another_one_of_the_same_asker_abandons_what_is_open(self, table: DrillTable) -> None:
        """Those of others, of other profiles and of the other kind stay open, and so do those of nobody."""
        others = [
            a_drill("b", who=None),
            a_drill("c", who="other"),
            a_drill("d", "desktop"),
            a_drill("e", kind=DrillKind.REHEARSAL),
        ]
        table.begin(a_drill("a"))
        for one in others:
            table.begin(one)

        table.begin(a_drill("f"))
        table.begin(a_drill("g", who=None))

        states = {one.id: one.outcome for one in table.recent()}
        assert {id for id, outcome in states.items() if outcome is DrillOutcome.ABANDONED} == {"a", "b"}
        assert {id for id, outcome in states.items() if outcome is DrillOutcome.OPEN} == set("cdefg")

    def test_the_last_ones_come_first(self, table: DrillTable) -> None:
        for number, profile in enumerate(("laptop", "desktop", "laptop")):
            ended(table, a_drill(str(number), profile))

        assert [one.id for one in table.recent()] == ["2", "1", "0"]
        assert [one.id for one in table.recent("laptop")] == ["2", "0"]
        assert [one.id for one in table.recent(limit=1)] == ["2"]
        assert table.recent("nobody") == []
        assert [one.id for one in table.recent(kind=DrillKind.DRILL, limit=2)] == ["2", "1"]
        assert table.recent("laptop", kind=DrillKind.REHEARSAL) == []

    def test_the_latest_of_each_profile_are_known_by_kind_and_by_outcome(self, table: DrillTable) -> None:
        ended(table, a_drill("0"))
        equal = ended(table, a_drill("1"))
        failed = ended(table, a_drill("2"), DrillOutcome.FAILED)
        rehearsed = ended(table, a_drill("3", kind=DrillKind.REHEARSAL))
        ended(table, a_drill("4", "desktop"), DrillOutcome.DIFFERENT)
        table.begin(a_drill("5"))

        assert table.latest(DrillKind.DRILL)["laptop"] == failed
        assert table.latest(DrillKind.DRILL).keys() == {"laptop", "desktop"}
        assert table.latest(DrillKind.DRILL, equal_only=True) == {"laptop": equal}
        assert table.latest(DrillKind.REHEARSAL) == {"laptop": rehearsed}

    def test_old_ones_are_dropped(self, table: DrillTable) -> None:
        """Of each profile and kind so many are kept."""
        ended(table, a_drill("other", "desktop"))
        ended(table, a_drill("rehearsal", kind=DrillKind.REHEARSAL))
        for number in range(KEPT_DRILLS + 2):
            ended(table, a_drill(str(number)))

        kept = [one.id for one in table.recent(limit=1000)]
        assert len(kept) == KEPT_DRILLS + 2
        assert {"other", "rehearsal", "2"} < set(kept)
        assert "1" not in kept
