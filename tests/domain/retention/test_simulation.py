"""Simulated time: what a policy keeps of archives that come as expected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tarkeep.adapters.cron_lines import CronsimLines
from tarkeep.domain.errors.retention import NoRetentionPolicy, SimulationTooLong
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.profiles.retention_policy import Every, KeepRule, RetentionPolicy
from tarkeep.domain.profiles.rules import IncBase, ProfileRules
from tarkeep.domain.profiles.span import Span
from tarkeep.domain.retention import simulation
from tarkeep.domain.retention.simulation import Expected, Simulation, expected, simulate
from tests.domain.retention.test_prune_plan import archive, chain, places

CRON = CronsimLines()
FULL, INC, DIFF = BackupType.FULL, BackupType.INC, BackupType.DIFF
NOW = datetime(2026, 1, 1, 2, tzinfo=UTC)
WEEKLY = [Expected(FULL, Span.parse("7d"), 1000), Expected(INC, Span.parse("1d"), 10)]


def simulated(*rules: KeepRule, days: int = 400, **others: Any) -> Simulation:
    policy = RetentionPolicy(rules, **others)
    return simulate("p", [], WEEKLY, ProfileRules(retention=policy), NOW, days)


def test_two_weeks_of_days_and_a_year_of_months() -> None:
    last = simulated(KeepRule(Every.DAY, 14), KeepRule(Every.WEEK, 8), KeepRule(Every.MONTH, 12)).days[-1]

    assert last.at == datetime(2027, 2, 5, tzinfo=UTC)
    assert 14 + 5 + 9 <= last.points <= 60  # the young, and what points build on, come on top
    assert last.longest <= 8


def test_a_day_tells_what_is_kept_and_what_went() -> None:
    days = simulated(
        KeepRule(Every.POINT, 1), days=30, minimum_points=0, minimum_fulls=0, minimum_age=Span.parse("0d")
    ).days

    # the FULL of day 7 ends the first orphans' stay only when keep_broken is over; later chains go as a whole
    assert [day.removed for day in days[:7]] == [0] * 7
    assert sum(day.removed for day in days) > 0
    assert all(day.archives >= day.points for day in days)
    assert [day.at for day in days[:2]] == [datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)]


def test_what_a_rule_costs_is_what_would_go_without_it() -> None:
    both = simulated(KeepRule(Every.DAY, 7), KeepRule(Every.MONTH, 12))
    one = simulated(KeepRule(Every.DAY, 7))

    assert set(both.alone) == {"keep_daily", "keep_monthly"}
    assert both.alone["keep_monthly"] == both.days[-1].size_bytes - one.days[-1].size_bytes
    assert both.alone["keep_monthly"] >= 9 * 1000


@given(
    st.lists(st.builds(KeepRule, st.sampled_from(Every), st.integers(1, 20)), min_size=1, max_size=3),
    st.sampled_from(list(IncBase)),
    st.integers(1, 60),
)
@settings(max_examples=30)
def test_kept_points_restore_every_day(rules: list[KeepRule], inc_base: IncBase, days: int) -> None:
    """Of archives that come in order nothing ever breaks, whatever is pruned."""
    coming = [
        Expected(FULL, Span.parse("9d"), 100),
        Expected(INC, Span.parse("1d"), 5),
        Expected(DIFF, Span.parse("3d"), 20),
    ]
    start = places(chain(3, 2, 1, start=NOW))

    told = simulate("p", start, coming, ProfileRules(inc_base, retention=RetentionPolicy(tuple(rules))), NOW, days)

    assert len(told.days) == days
    assert all(day.points == day.archives for day in told.days)
    assert all(size >= 0 for size in told.alone.values())


def test_what_is_expected_is_learnt_from_what_came() -> None:
    """The median of distances and sizes; of a type that came once nothing can be said."""
    came = [archive(INC, NOW + timedelta(hours=hours)) for hours in (0, 24, 48, 72, 500)]

    assert expected([*came, archive(FULL, NOW)]) == [Expected(INC, Span.parse("24h"), 100)]
    assert expected([]) == []


@pytest.mark.parametrize(("days", "said"), [(0, "between 1 and 1500 days"), (1501, "between 1 and 1500 days")])
def test_what_cannot_be_simulated_is_said(days: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        simulated(KeepRule(Every.DAY, 1), days=days)
    with pytest.raises(NoRetentionPolicy, match="no retention policy"):
        simulate("p", [], WEEKLY, ProfileRules(), NOW, 1)
    with pytest.raises(ValueError, match="every 0 hours"):
        Expected(FULL, Span.parse("0d"), 1)


def test_archives_come_at_the_times_of_cron_lines() -> None:
    """Each Sunday a FULL, each other day an INC, also across the night in which clocks are set."""
    paris = ZoneInfo("Europe/Paris")
    lines = [Expected(FULL, CRON.read("0 6 * * 0", paris), 1000), Expected(INC, CRON.read("30 6 * * 1-6", paris), 10)]
    rules = ProfileRules(retention=RetentionPolicy((KeepRule(Every.POINT, None),)), time_zone=paris)

    days = simulate("p", [], lines, rules, datetime(2026, 3, 22, 12, tzinfo=UTC), 22).days

    came = [after.size_bytes - before.size_bytes for before, after in pairwise(days)]
    assert [size for size in came if size == 1000] == [1000] * 3
    assert [day.at.day for day, size in zip(days[1:], came, strict=True) if size == 1000] == [30, 6, 13]
    assert sorted(set(came)) == [10, 1000]


def test_more_than_an_archive_an_hour_is_refused() -> None:
    """A simulation of years of archives that come each minute would keep a server busy."""
    rules = ProfileRules(retention=RetentionPolicy((KeepRule(Every.DAY, 1),)))
    hourly, often = (Expected(INC, CRON.read(line, UTC), 1) for line in ("0 * * * *", "0,30 0-12 1 * *"))

    assert simulate("p", [], [hourly], rules, NOW, 2).days
    with pytest.raises(ValueError, match="more than 24 archives of the type INC come within a day"):
        simulate("p", [], [often], rules, NOW, 60)


def test_a_simulation_that_takes_too_long_is_refused_with_what_can_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "MOST_PLANNED", 10_000)
    hourly = [Expected(FULL, Span.parse("1h"), 1)]
    rules = ProfileRules(retention=RetentionPolicy((KeepRule(Every.HOUR, None),)))
    with pytest.raises(SimulationTooLong) as caught:
        simulate("p", [], hourly, rules, NOW, 1500)
    assert "1500 days take too long to simulate; at most 28 can be" in str(caught.value)
    assert len(simulate("p", [], hourly, rules, NOW, caught.value.possible).days) == 28
