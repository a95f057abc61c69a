"""Signs: each by itself at its borders, and all of them in simulated years of machines that behave, or are attacked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import Kind
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.retention import suspicion
from tarkeep.domain.retention.arrival import Arrival
from tarkeep.domain.retention.name_changes import NameChanges
from tarkeep.domain.retention.suspicion import (
    SIGNS,
    SUSPICIOUS,
    Arrived,
    Indication,
    Sign,
    Suspicion,
    counted_changes,
    is_worth_comparing,
    judge,
)
from tests.support.simulated_nights import ATTACKS, ORDINARY, false_brakes, share_braked

FULL, INC, DIFF = BackupType
NOW = datetime(2026, 11, 30, 2, tzinfo=UTC)
NIGHT = timedelta(days=1)
MIB = 1 << 20
YEARS = 2
"""Simulated years of each machine; the table in docs/retention.md is of 200."""


def archive(
    number: int = 0, type: BackupType = INC, *, ago: timedelta | None = None, packed: int = MIB, unpacked: int = 3 * MIB
) -> Arrival:
    """The archive of *number* nights ago."""
    at = NOW - (number * NIGHT if ago is None else ago)
    name = f"{type.value}{number}.tar.gz"
    return Arrival(type, name, at, at, packed, "", Kind.INCREMENTAL, 10, unpacked)


NIGHTS = [archive(number) for number in range(1, 40)]


def seen(names: NameChanges, type: BackupType = INC, carried_before: int = 0) -> set[Sign]:
    found = judge(Arrived(archive(type=type), names=names, carried_before=carried_before))
    return {one.sign for one in found}


# -- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("carried", "now", "before", "is_seen"),
    [(400, 1000, 0, True), (399, 1000, 0, False), (99, 99, 0, False), (900, 1000, 600, False), (1000, 1000, 600, True)],
)
def test_much_of_all_files_that_change_at_once_are_a_sign(carried: int, now: int, before: int, is_seen: bool) -> None:
    """A DIFF has what the one before had, too; only what it has in addition counts."""
    type = DIFF if before else INC
    assert seen(NameChanges(now, now, carried, 0), type, before) == ({Sign.CARRIES_MOST} if is_seen else set())


def test_a_full_has_all_files_and_that_is_no_sign() -> None:
    assert seen(NameChanges(1000, 1000, 1000, 0), FULL) == set()


def test_what_changes_each_month_is_usual() -> None:
    last_month = archive(30)._replace(listed=1000, unchanged=600)
    names = NameChanges(1000, 1000, 500, 0)
    assert not judge(Arrived(archive(), recent=[*NIGHTS[:29], last_month], names=names))
    assert judge(Arrived(archive(), recent=NIGHTS[:29], names=names))


@pytest.mark.parametrize(
    ("lost", "before", "is_seen"), [(400, 1000, True), (399, 1000, False), (99, 100, False), (100, 100, True)]
)
def test_much_of_all_files_that_are_gone_are_a_sign(lost: int, before: int, is_seen: bool) -> None:
    assert seen(NameChanges(before, 0, 0, lost)) == ({Sign.GONE} if is_seen else set())


@pytest.mark.parametrize(("lost", "weight"), [(0, 1), (49, 1), (50, 2), (90, 2)])
def test_an_ending_that_no_file_had_is_a_sign_and_weighs_more_if_others_are_gone(lost: int, weight: int) -> None:
    names = NameChanges(1000, 1000, 100, lost, 300, suffix=b".locked\xff", suffixed=100)
    [found] = judge(Arrived(archive(), names=names))
    assert (found.sign, found.weight) == (Sign.SUFFIX, weight)
    assert "100 new files end in .locked\\xff, which no file did before" in found.text
    assert judge(Arrived(archive(), names=evolve(names, suffixed=89))) == ()


@pytest.mark.parametrize(
    ("type", "carried", "listed", "is_worth"),
    [(INC, 99, 1000, False), (INC, 100, 1000, True), (INC, 100, 2001, False), (FULL, 1000, 1000, False)],
)
def test_names_are_compared_where_they_may_show_more(
    type: BackupType, carried: int, listed: int, is_worth: bool
) -> None:
    here = archive(type=type)._replace(listed=listed, unchanged=listed - carried)
    assert is_worth_comparing(here, here) is is_worth
    assert not is_worth_comparing(here, here._replace(listed=None))
    assert counted_changes(here, here._replace(listed=listed + 9)) == NameChanges(listed + 9, listed, carried, 9)


# -- sizes and times -------------------------------------------------------------------------------------------------


def test_many_archives_in_a_night_are_a_sign() -> None:
    hour = [archive(number, ago=timedelta(minutes=number)) for number in range(7)]
    [found] = judge(Arrived(archive(), recent=hour + NIGHTS))
    assert (found.sign, found.weight) == (Sign.FLOOD, 2)
    assert found.text == "8 archives came within a day, where 1.0 a day are usual"
    assert judge(Arrived(archive(), recent=hour[1:] + NIGHTS)) == ()


@pytest.mark.parametrize("waited", [8, 20])
def test_what_waited_while_a_machine_was_away_is_no_flood(waited: int) -> None:
    hour = [archive(number, ago=timedelta(minutes=number)) for number in range(waited)]
    assert judge(Arrived(archive(), recent=hour + NIGHTS[waited:])) == ()


def test_the_first_night_of_a_profile_is_no_flood() -> None:
    hour = [archive(number, ago=timedelta(minutes=number)) for number in range(60)]
    assert judge(Arrived(archive(), recent=hour)) == ()
    assert judge(Arrived(archive(), recent=[*hour, *NIGHTS[:3]])) == ()


@pytest.mark.parametrize(("type", "weight"), [(INC, 1), (FULL, 2)])
def test_what_no_longer_compresses_is_a_sign(type: BackupType, weight: int) -> None:
    alike = [archive(number, type, packed=MIB + number * 1000) for number in range(1, 9)]
    encrypted = archive(0, type, packed=int(1.5 * MIB))
    [found] = judge(Arrived(encrypted, alike=alike))
    assert (found.sign, found.weight) == (Sign.INCOMPRESSIBLE, weight)
    assert found.text == "it compresses to 50% of its size, where 33% is usual"
    assert judge(Arrived(archive(0, type, packed=int(1.4 * MIB)), alike=alike)) == ()
    assert judge(Arrived(archive(0, type, packed=1500, unpacked=3000), alike=alike[:1])) == ()


@pytest.mark.parametrize(
    ("packed", "weight", "text"),
    [
        (MIB * 3, 0, ""),
        (MIB * 5, 1, "5 times as large"),
        (MIB // 5, 1, "5 times as small"),
        (MIB * 100, 2, "100 times"),
    ],
)
def test_a_size_out_of_the_ordinary_is_a_sign(packed: int, weight: int, text: str) -> None:
    found = judge(Arrived(archive(packed=packed, unpacked=packed * 3), alike=NIGHTS[:20], recent=NIGHTS))
    assert sum(one.weight for one in found) == weight
    assert all(one.sign is Sign.SIZE and text in one.text for one in found)


def test_a_large_archive_is_usual_where_large_ones_come_now_and_then() -> None:
    burst = archive(30, packed=60 * MIB)
    [found] = judge(Arrived(archive(packed=100 * MIB, unpacked=300 * MIB), alike=NIGHTS[:20], recent=[*NIGHTS, burst]))
    assert found.weight == 1


def test_a_full_that_does_not_come_is_a_sign() -> None:
    fulls = [archive(7 * number, FULL) for number in range(2, 7)]
    late = archive()._replace(placed_at=NOW + 2 * NIGHT, received_at=NOW + 2 * NIGHT)
    [found] = judge(Arrived(late, recent=fulls))
    assert (found.sign, found.weight) == (Sign.NO_FULL, 1)
    assert found.text == "no FULL came for 16 days, where 7.0 are usual"
    assert judge(Arrived(archive(), recent=fulls)) == ()
    assert judge(Arrived(late._replace(type=FULL), recent=fulls)) == ()


# -- together --------------------------------------------------------------------------------------------------------


def test_signs_add_up() -> None:
    one = Indication(Sign.SIZE, 1, "it is 5 times as large as usual")
    other = Indication(Sign.INCOMPRESSIBLE, 1, "it compresses to 99% of its size, where 30% is usual")
    assert not Suspicion(NOW, (one,)).is_enough
    assert Suspicion(NOW, (one, other)).is_enough
    assert str(Suspicion(NOW, (one, other))) == f"{one.text}; {other.text}"


def test_without_a_past_nothing_is_suspicious() -> None:
    assert judge(Arrived(archive())) == ()
    assert {sign.__name__ for sign in SIGNS} == {one.value.replace("-", "_") for one in Sign}
    assert suspicion.SUSPICIOUS == SUSPICIOUS == 2


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_years_are_hardly_ever_braked(name: str) -> None:
    """At most once a year; in so few years chance may add one or two."""
    braked = false_brakes(name, YEARS)
    assert braked.total() <= max(YEARS, 4), braked


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("name", ["steady", "growing", "holidays"])
def test_attacks_are_braked(name: str, attack: str) -> None:
    """Always, but for a size that happens to be less than fifty times as large as those of the last nights."""
    assert share_braked(name, attack, YEARS) >= (0.5 if "INC" in attack else 1.0)
