"""What a rule costs is what would go if it were taken away."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.profiles.retention_policy import Every, KeepRule, RetentionPolicy
from tarkeep.domain.retention.decisions import kept_bytes
from tests.domain.retention.test_prune_plan import chain, planned, policy

RULES = st.lists(
    st.builds(KeepRule, st.sampled_from([every for every in Every if every is not Every.POINT]), st.integers(1, 9)),
    min_size=2,
    max_size=4,
    unique_by=lambda rule: rule.every,
)


@given(
    RULES, st.lists(st.sets(st.integers(0, 200), min_size=1, max_size=12), min_size=1, max_size=6), st.integers(0, 4)
)
def test_a_rule_costs_what_goes_without_it(rules: list[KeepRule], nights: list[set[int]], minimum: int) -> None:
    rows = [row for some in nights for row in chain(*sorted(some, reverse=True))]
    rows = list({one.id: (one, parent) for one, parent in rows}.values())
    by = policy(*rules, minimum_points=minimum)
    plan = planned(rows, by)

    for rule in rules:
        without = planned(rows, evolve(by, rules=tuple(one for one in rules if one is not rule)))
        gone = {one.archive.id for one in without.removed} - {one.archive.id for one in plan.removed}
        assert plan.alone[rule.setting] == kept_bytes(plan.decisions) - kept_bytes(without.decisions)
        assert {one.archive.id for one in plan.decisions if one.only_for == rule.setting} == gone


def test_what_others_need_stays_for_what_those_stay_for() -> None:
    """A FULL and nine INCs: the newest day keeps all of them."""
    plan = planned(chain(*range(9, -1, -1)), policy(KeepRule(Every.DAY, 1)))

    assert plan.alone == {"keep_daily": 1000}


def test_what_something_else_keeps_too_costs_a_rule_nothing() -> None:
    plan = planned(chain(*range(9, -1, -1)), policy(KeepRule(Every.DAY, 1), minimum_points=1))

    assert plan.alone == {"keep_daily": 0}


def test_without_a_policy_there_is_no_rule() -> None:
    usual = RetentionPolicy((KeepRule(Every.DAY, 1),))

    assert planned([], usual).alone == {"keep_daily": 0}
