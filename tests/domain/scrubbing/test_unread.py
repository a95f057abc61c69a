"""Which archives are read again, and in which order."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.archives.archive import ArchiveState
from tarkeep.domain.profiles.span import Span
from tarkeep.domain.scrubbing.unread import ScrubEvery, Unread, in_order
from tests.support.archives import NOON, make_archive

DAY = timedelta(days=1)


def unread(name: str, received: int, verified: int | None = None, *, is_wanted: bool = False) -> Unread:
    """An archive that was received, and perhaps read, so many days after `NOON`."""
    archive = make_archive(f"{name}.tar.gz", received_at=NOON + DAY * received)
    return Unread(archive, None if verified is None else NOON + DAY * verified, is_wanted)


def names(found: list[Unread]) -> str:
    return "".join(one.archive.id.name.removesuffix(".tar.gz") for one in found)


def test_what_may_be_damaged_comes_first_and_then_what_was_right_longest_ago() -> None:
    """An archive that was never read was right when it was received."""
    found = in_order(
        [unread("c", 0, 9), unread("b", 5), unread("w", 8, 20, is_wanted=True), unread("a", 0, 3), unread("d", 30)]
    )

    assert names(found) == "wabcd"


@given(
    st.permutations(
        [unread(name, days % 3, days % 5 or None, is_wanted=days % 4 == 0) for days, name in enumerate("abcdefgh")]
    )
)
def test_the_order_does_not_depend_on_that_of_the_input(shuffled: list[Unread]) -> None:
    assert in_order(shuffled) == in_order(shuffled[::-1])


def test_what_is_due_is_what_was_not_right_lately_or_is_wanted() -> None:
    limit = NOON + DAY

    assert [unread("a", days).is_due(limit) for days in (0, 1)] == [True, False]
    assert unread("a", 5, is_wanted=True).is_due(limit)
    assert not unread("a", 0, 1).is_due(limit)


def test_what_is_known_to_be_damaged_is_due_only_if_it_is_wanted() -> None:
    known = unread("a", 0)
    damaged = evolve(known, archive=evolve(known.archive, state=ArchiveState.DAMAGED))

    assert not damaged.is_due(NOON + DAY)
    assert evolve(damaged, is_wanted=True).is_due(NOON + DAY)


def test_every_archive_is_read_so_often_and_behind_after_twice_that_time() -> None:
    every = ScrubEvery(Span.parse("1m"))
    now = datetime.fromisoformat("2026-11-30T12:00:00+00:00")

    assert every.due_before(now).isoformat() == "2026-10-30T12:00:00+00:00"
    assert every.behind_before(now).isoformat() == "2026-09-30T12:00:00+00:00"


def test_no_time_between_two_reads_is_refused() -> None:
    with pytest.raises(ValueError, match="0d is no time between two reads"):
        ScrubEvery(Span.parse("0d"))
