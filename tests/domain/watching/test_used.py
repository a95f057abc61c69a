"""What was used before anybody noted it is known only if nothing was removed."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.watching.arrived import ArrivedOnDay
from tarkeep.domain.watching.used import UsedOnDay, used_before

TODAY = date(2026, 11, 24)
ARRIVALS = st.lists(
    st.builds(
        ArrivedOnDay,
        st.sampled_from(["web", "laptop"]),
        st.integers(0, 60).map(lambda number: TODAY - timedelta(days=number)),
        st.sampled_from(BackupType),
        st.just(1),
        st.integers(0, 10**12),
    )
)


def now(arrived: list[ArrivedOnDay], trash_bytes: int = 0) -> UsedOnDay:
    stored = {type: sum(one.size_bytes for one in arrived if one.type is type) for type in BackupType}
    return UsedOnDay(TODAY, stored, trash_bytes)


@given(ARRIVALS)
def test_each_day_has_what_came_up_to_it(arrived: list[ArrivedOnDay]) -> None:
    days = used_before(arrived, now(arrived))

    assert [one.day for one in days] == sorted({one.day for one in days})
    for one in days:
        assert one.total_bytes == sum(each.size_bytes for each in arrived if each.day <= one.day)
    first = min((one.day for one in arrived), default=TODAY)
    assert len(days) == (TODAY - first).days


@given(ARRIVALS.filter(bool), st.integers(1, 100))
def test_nothing_is_made_up_once_something_was_removed(arrived: list[ArrivedOnDay], size: int) -> None:
    more = ArrivedOnDay("web", TODAY - timedelta(days=61), BackupType.FULL, 1, size)

    assert used_before([*arrived, more], now(arrived)) == ()
    assert used_before(arrived, now(arrived, trash_bytes=size)) == ()
