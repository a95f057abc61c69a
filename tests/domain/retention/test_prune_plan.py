"""The rule book of pruning: properties over made-up profiles, and what its reasons say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.archives.archive import ArchiveState, BackupArchive, Contents, Kind
from tarkeep.domain.chains.link import Evidence, Link
from tarkeep.domain.chains.standing import PlacedArchive, placed
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.identity.digests import Digests
from tarkeep.domain.profiles.retention_policy import Every, KeepRule, RetentionPolicy
from tarkeep.domain.profiles.span import Span
from tarkeep.domain.retention.decisions import Pause, PauseKind, PruneDecision, PrunePlan, PruneVerdict, ReasonKind
from tarkeep.domain.retention.marks import UNMARKED, UNREADABLE, Hold, Marks
from tarkeep.domain.retention.prune_plan import ORDINARY, Circumstances, plan_prune

FULL, INC, DIFF = BackupType.FULL, BackupType.INC, BackupType.DIFF
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
OLD = Span.parse("0d")
DAILY = KeepRule(Every.DAY, 3)


def policy(*rules: KeepRule, **others: object) -> RetentionPolicy:
    """A policy without minimums, unless *others* state them."""
    plain: dict[str, object] = {"minimum_points": 0, "minimum_fulls": 0, "minimum_age": OLD, "keep_broken": OLD}
    return RetentionPolicy(rules or (DAILY,), **{**plain, "largest_share": 1.0, **others})  # type: ignore[arg-type]


def archive(type: BackupType, received: datetime, *, taken: datetime | None = None, name: str = "") -> BackupArchive:
    name = name or f"{type.value.lower()}_{received:%Y-%m-%dT%H-%M-%S}.tar.gz"
    contents = Contents(Kind.INCREMENTAL, 3, 10_240, None, type is not FULL, ("root",))
    return BackupArchive(
        ArchiveId("p", type, name), 100, Digests("0" * 32, "0" * 64), received, taken or received, contents
    )


def chain(*days: int, start: datetime = NOW) -> list[tuple[BackupArchive, ArchiveId | None]]:
    """A FULL, then an INC on each, received so many days before *start*."""
    found: list[tuple[BackupArchive, ArchiveId | None]] = []
    for day in days:
        before = found[-1][0].id if found else None
        found.append((archive(INC if found else FULL, start - timedelta(days=day)), before))
    return found


def places(rows: Iterable[tuple[BackupArchive, ArchiveId | None]]) -> list[PlacedArchive]:
    """Linked as given: a FULL without a parent is a base, anything else without one an orphan."""
    rows = list(rows)
    known = {one.id for one, _ in rows}
    linked = [
        (one, Link(one.id, parent, Evidence.PROVEN, "given"))
        if parent in known or (parent is None and one.id.type is FULL)
        else (one, Link(one.id, None, Evidence.ORPHAN, "its parent is not stored"))
        for one, parent in rows
    ]
    return list(placed(linked).values())


def planned(
    rows: Sequence[tuple[BackupArchive, ArchiveId | None]],
    by: RetentionPolicy,
    circumstances: Circumstances = ORDINARY,
    now: datetime = NOW,
) -> PrunePlan:
    young_since = by.minimum_age.before(now)
    older = [row for row in rows if row[0].received_at <= young_since]
    return plan_prune("p", places(rows), places(older), by, UTC, now, circumstances)


def kept(plan: PrunePlan) -> set[ArchiveId]:
    return {one.archive.id for one in plan.decisions if one.is_kept}


def reasons(plan: PrunePlan, of: BackupArchive) -> list[str]:
    found = next(one for one in plan.decisions if one.archive.id == of.id)
    return [reason.text for reason in found.reasons]


# -- made-up profiles ------------------------------------------------------------------------------------------------

Rows = list[tuple[BackupArchive, ArchiveId | None]]


@st.composite
def profiles(draw: st.DrawFn) -> Rows:
    """Up to 25 archives of two months; each builds on an earlier one, on one that is not stored, or on nothing."""
    rows: Rows = []
    for number in range(draw(st.integers(0, 25))):
        type = draw(st.sampled_from(BackupType))
        received = NOW - timedelta(hours=draw(st.integers(0, 24 * 60)))
        taken = received + timedelta(hours=draw(st.sampled_from([0, 0, 0, -24 * 9, -24 * 40, 24 * 9, 24 * 90])))
        one = archive(type, received, taken=taken, name=f"{number}.tar.gz")
        if draw(st.integers(0, 9)) == 0:
            one = evolve(one, state=ArchiveState.DAMAGED)
        parent = None
        if type is not FULL and rows:
            parent = draw(st.sampled_from([row[0].id for row in rows]))
        rows.append((one, parent))
    return rows


LIMITS = st.one_of(st.integers(0, 6), st.none(), st.builds(Span.parse, st.sampled_from(["36h", "10d", "3w", "1m"])))
RULES = st.builds(KeepRule, st.sampled_from(Every), LIMITS)


@st.composite
def policies(draw: st.DrawFn) -> RetentionPolicy:
    rules = draw(st.lists(RULES, min_size=1, max_size=4).filter(lambda some: any(one.keeps_something for one in some)))
    return RetentionPolicy(
        tuple(rules),
        draw(st.sampled_from([None, Every.DAY, Every.WEEK, Every.MONTH])),
        draw(st.booleans()),
        draw(st.integers(0, 3)),
        draw(st.integers(0, 2)),
        draw(st.sampled_from([Span.parse("0d"), Span.parse("7d")])),
        draw(st.sampled_from([Span.parse("0d"), Span.parse("30d")])),
    )


def shuffled(rows: Rows, seed: int) -> Rows:
    found = list(rows)
    Random(seed).shuffle(found)
    return found


@given(profiles(), policies())
def test_no_kept_archive_lacks_an_ancestor(rows: Rows, by: RetentionPolicy) -> None:
    stored = {one.id for one, _ in rows}
    plan = planned(rows, by)

    for one, parent in rows:
        if one.id in kept(plan) and parent in stored:
            assert parent in kept(plan)


@given(profiles(), policies())
def test_every_kept_point_restores_as_before(rows: Rows, by: RetentionPolicy) -> None:
    """Linked anew without the removed archives, each kept archive has the very same standing."""
    before = {place.archive.id: place for place in places(rows)}
    plan = planned(rows, by)

    after = places([row for row in rows if row[0].id in kept(plan)])

    assert {place.archive.id: place for place in after} == {id: before[id] for id in kept(plan)}


@given(profiles(), policies(), RULES)
def test_another_rule_never_removes_more(rows: Rows, by: RetentionPolicy, rule: KeepRule) -> None:
    assert kept(planned(rows, by)) <= kept(planned(rows, evolve(by, rules=(*by.rules, rule))))


@given(profiles(), policies(), st.integers(0, 3))
def test_larger_numbers_never_remove_more(rows: Rows, by: RetentionPolicy, place: int) -> None:
    at = place % len(by.rules)
    rule = by.rules[at]
    limit = rule.limit
    larger = (
        limit + 1 if isinstance(limit, int) else Span(limit.count + 1, limit.unit) if isinstance(limit, Span) else None
    )
    rules = (*by.rules[:at], evolve(rule, limit=larger), *by.rules[at + 1 :])

    assert kept(planned(rows, by)) <= kept(planned(rows, evolve(by, rules=rules)))


def held(marks: Marks) -> Marks:
    return marks.held(Hold("audit", "tax audit", NOW))


def locked(marks: Marks) -> Marks:
    return marks.locked(NOW + timedelta(days=1))


@given(profiles(), policies(), st.data(), st.sampled_from([held, locked, lambda _: UNREADABLE]))
def test_marks_never_remove_more_and_keep_the_whole_path(
    rows: Rows, by: RetentionPolicy, data: st.DataObject, mark: Callable[[Marks], Marks]
) -> None:
    if not rows:
        return
    marked = data.draw(st.sampled_from([one.id for one, _ in rows]))
    plan = planned(rows, by, Circumstances(marks={marked: mark(UNMARKED)}))

    assert kept(planned(rows, by)) <= kept(plan)
    parents = {one.id: parent for one, parent in rows}
    at: ArchiveId | None = marked
    while at is not None:
        assert at in kept(plan)
        at = parents[at]


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (held, ", which has a hold audit: tax audit"),
        (locked, ", which is locked until 2026-11-30T12:00:00Z"),
    ],
)
def test_what_a_marked_archive_builds_on_says_what_it_is_needed_for(mark: Callable[[Marks], Marks], said: str) -> None:
    rows = [*chain(50, 49), *chain(5)]
    (full, _), (inc, _), _ = rows
    plan = planned(rows, policy(KeepRule(Every.POINT, 1)), Circumstances(marks={inc.id: mark(UNMARKED)}))

    assert reasons(plan, full) == [f"needed by {inc.id.label}{said}"]


@given(profiles(), policies(), st.lists(st.tuples(st.sampled_from(BackupType), st.integers(-400, 400)), max_size=6))
def test_nothing_causes_a_removal_before_it_is_old_enough(
    rows: Rows, by: RetentionPolicy, flood: list[tuple[BackupType, int]]
) -> None:
    """Whatever is sent now, with whatever times, removes nothing that would have stayed without it."""
    by = evolve(by, minimum_age=Span.parse("7d"))
    sent: Rows = list(rows)
    for number, (type, days) in enumerate(flood):
        one = archive(
            type, NOW - timedelta(minutes=number), taken=NOW + timedelta(days=days), name=f"new{number}.tar.gz"
        )
        parent = rows[number % len(rows)][0].id if rows and type is not FULL else None
        sent.append((one, parent))

    assert kept(planned(rows, by)) <= kept(planned(sent, by))


@given(profiles(), policies(), st.integers())
def test_the_order_in_which_archives_come_is_irrelevant(rows: Rows, by: RetentionPolicy, seed: int) -> None:
    assert planned(rows, by) == planned(shuffled(rows, seed), by)


@given(profiles(), policies())
def test_each_archive_has_one_decision_and_a_reason(rows: Rows, by: RetentionPolicy) -> None:
    plan = planned(rows, by)

    assert sorted(one.archive.id for one in plan.decisions) == sorted(one.id for one, _ in rows)
    assert all(one.reasons for one in plan.decisions)
    assert {one.archive.id for one in plan.removed} == {one.id for one, _ in rows} - kept(plan)


@given(profiles(), policies())
def test_what_was_carried_out_has_nothing_left_to_do(rows: Rows, by: RetentionPolicy) -> None:
    plan = planned(rows, by)
    again = planned([row for row in rows if row[0].id in kept(plan)], by)

    assert again.verdict is PruneVerdict.NOTHING


@given(profiles(), policies(), st.integers(0, 400))
def test_silence_takes_away_nothing_that_a_rule_keeps(rows: Rows, by: RetentionPolicy, days: int) -> None:
    """No archives come, time goes by: rules keep what they kept, once all are old enough."""
    by = evolve(by, ages_when_silent=False, minimum_age=OLD)
    today, later = planned(rows, by), planned(rows, by, now=NOW + timedelta(days=days))

    def by_rule(plan: PrunePlan) -> set[ArchiveId]:
        return {
            one.archive.id for one in plan.decisions if any(reason.kind is ReasonKind.RULE for reason in one.reasons)
        }

    assert by_rule(today) <= by_rule(later)


@given(profiles(), policies())
def test_what_builds_on_another_goes_before_it(rows: Rows, by: RetentionPolicy) -> None:
    """So that stopping after any of them leaves no archive without what it builds on."""
    gone = [one.archive.id for one in planned(rows, by).removed]
    for one, parent in rows:
        if one.id in gone and parent in gone:
            assert gone.index(one.id) < gone.index(parent)


# -- what is kept, and what is said of it ------------------------------------------------------------------------------


def test_a_day_keeps_its_newest_point_and_what_that_needs() -> None:
    rows = chain(5, 4, 3, 2, 1, 0)
    first, *_, third, second, last = (one for one, _ in rows)
    plan = planned(rows, policy())

    assert reasons(plan, last) == ["daily 2026-11-29"]
    assert reasons(plan, second)[0] == "daily 2026-11-28"
    assert f"needed by {last.id.label} for daily 2026-11-29" in reasons(plan, second)
    assert reasons(plan, first) == [f"needed by {rows[1][0].id.label} for daily 2026-11-27"]
    assert plan.verdict is PruneVerdict.NOTHING
    assert third.id in kept(plan)


def test_an_old_chain_goes_once_a_new_one_serves_the_rules() -> None:
    rows = [*chain(20, 19, 18), *chain(9, 8, 7)]
    plan = planned(rows, policy())

    assert kept(plan) == {one.id for one, _ in rows[3:]}
    assert [one.archive.id for one in plan.removed] == [rows[2][0].id, rows[1][0].id, rows[0][0].id]
    assert reasons(plan, rows[0][0]) == ["no rule reaches back to it"]
    assert plan.verdict is PruneVerdict.READY


def test_what_is_removed_says_which_point_stands_for_its_day() -> None:
    morning, evening = (archive(FULL, NOW - timedelta(days=1, hours=hour)) for hour in (9, 1))
    plan = planned([(morning, None), (evening, None)], policy())

    assert reasons(plan, morning) == [f"no rule wants it; its day is kept by {evening.id.label}"]


def test_a_week_prefers_its_full() -> None:
    rows = chain(5, 4, 3)  # Tuesday to Thursday
    full, _, last = (one for one, _ in rows)

    weekly = policy(KeepRule(Every.WEEK, 4))

    assert kept(planned(rows, weekly)) == {full.id}
    assert kept(planned(rows, evolve(weekly, prefer_full=Every.MONTH))) == {one.id for one, _ in rows}
    assert kept(planned(rows, evolve(weekly, prefer_full=None))) == {one.id for one, _ in rows}
    assert last.id not in kept(planned(rows, weekly))


def test_two_weeks_in_one_night_are_still_two_weeks() -> None:
    """A laptop that was away sends everything at once: the times of its dumps save what the receipts would not."""
    night = NOW - timedelta(days=30)
    rows: Rows = [
        (archive(FULL, night + timedelta(minutes=n), taken=night - timedelta(days=14 - n), name=f"{n}.tar.gz"), None)
        for n in range(14)
    ]
    plan = planned(rows, policy(KeepRule(Every.DAY, 10)))

    assert len(kept(plan)) == 10
    assert sum("by the time of its dump" in one.reasons[0].text for one in plan.decisions if one.is_kept) == 9


def test_days_begin_in_the_zone_of_the_profile() -> None:
    late, early = (archive(FULL, datetime(2026, 6, 9, hour, 30, tzinfo=UTC)) for hour in (21, 22))
    rows: Rows = [(late, None), (early, None)]
    daily = policy(KeepRule(Every.DAY, None))
    there = places(rows)

    assert len(kept(plan_prune("p", there, there, daily, UTC, NOW))) == 1
    assert len(kept(plan_prune("p", there, there, daily, ZoneInfo("Europe/Paris"), NOW))) == 2


def test_an_hour_that_a_zone_has_twice_is_two_hours() -> None:
    first, second = (archive(FULL, datetime(2026, 10, 25, hour, 30, tzinfo=UTC)) for hour in (0, 1))
    there = places([(first, None), (second, None)])
    hourly = policy(KeepRule(Every.HOUR, None))

    assert len(kept(plan_prune("p", there, there, hourly, ZoneInfo("Europe/Paris"), NOW))) == 2


def test_spans_count_back_from_the_newest_point_so_that_silence_stops_ageing() -> None:
    rows = [(archive(FULL, NOW - timedelta(days=400 + day)), None) for day in range(10)]
    within = policy(KeepRule(Every.POINT, Span.parse("5d")))

    assert len(kept(planned(rows, within))) == 5
    assert len(kept(planned(rows, evolve(within, ages_when_silent=True)))) == 0


def test_minimums_stay_without_any_rule_for_them() -> None:
    rows = [*chain(50, 49), *chain(40, 39, 38)]
    plan = planned(rows, policy(KeepRule(Every.YEAR, 1), minimum_points=2, minimum_fulls=2, prefer_full=None))

    assert reasons(plan, rows[0][0]) == ["full archive 2 of minimum_fulls = 2"]
    assert "point 2 of minimum_points = 2" in reasons(plan, rows[3][0])
    assert rows[1][0].id not in kept(plan)


def test_what_is_young_stays_and_displaces_nothing() -> None:
    old, young = archive(FULL, NOW - timedelta(days=8)), archive(FULL, NOW - timedelta(days=6))
    plan = planned([(old, None), (young, None)], policy(KeepRule(Every.POINT, 1), minimum_age=Span.parse("7d")))

    assert reasons(plan, old) == ["point 1 of keep_last = 1"]
    assert reasons(plan, young) == ["younger than minimum_age = 7d until 2026-11-30 12:00Z"]


def test_what_does_not_restore_stays_for_a_while() -> None:
    orphan = archive(INC, NOW - timedelta(days=90))
    rows = [*chain(9, 8), (orphan, ArchiveId("p", FULL, "gone.tar.gz"))]
    by = policy(keep_broken=Span.parse("30d"))

    unseen = planned(rows, by)
    seen = planned(rows, by, Circumstances(broken_since={orphan.id: NOW - timedelta(days=29)}))
    long = planned(rows, by, Circumstances(broken_since={orphan.id: NOW - timedelta(days=31)}))

    assert orphan.id in kept(unseen) & kept(seen)
    assert reasons(long, orphan) == [
        "it does not restore, which was noticed at 2026-10-29T12:00:00Z, more than keep_broken = 30d ago"
    ]


def uncertain(child: BackupArchive, parent: BackupArchive | None, *tried: BackupArchive) -> PlacedArchive:
    """*child*, whose link may be to another archive than *parent*; None is an unknown parent."""
    evidence = Evidence.CONTRADICTED if parent is None else Evidence.UNCERTAIN
    ids = tuple(one.id for one in tried)
    link = Link(child.id, None if parent is None else parent.id, evidence, "names are in no archive", tried=ids)
    rows = [(one, Link(one.id, None, Evidence.PROVEN, "")) for one in (parent,) if one is not None]
    return placed([*rows, (child, link)])[child.id]


def test_a_link_that_is_uncertain_keeps_what_may_be_the_parent() -> None:
    """What was tried first, and what is nearer than the parent that is shown; older ones were rejected for good."""
    older, asked, full, nearer, last = (archive(FULL, NOW - timedelta(days=days)) for days in (20, 19, 18, 17, 16))
    there = [
        *places([(one, None) for one in (older, asked, full, nearer)]),
        uncertain(last, full, asked, nearer, older),
    ]
    by = policy(KeepRule(Every.POINT, 1))

    plan = plan_prune("p", there, there, by, UTC, NOW)

    assert kept(plan) == {asked.id, full.id, nearer.id, last.id}
    assert reasons(plan, full) == [f"needed by {last.id.label} for point 1 of keep_last = 1"]
    assert reasons(plan, asked) == [
        f"may be needed by {last.id.label} for point 1 of keep_last = 1; what builds on what is uncertain there: state "
        "inc_base in profiles.toml, or the parent of each archive when it is sent"
    ]


def test_an_archive_without_a_known_parent_keeps_all_that_were_tried() -> None:
    one, other, last = (archive(FULL, NOW - timedelta(days=days)) for days in (20, 19, 18))
    there = [*places([(one, None), (other, None)]), uncertain(last, None, other, one)]

    by = policy(KeepRule(Every.POINT, 1), keep_broken=Span.parse("30d"))

    plan = plan_prune("p", there, there, by, UTC, NOW)

    assert kept(plan) == {one.id, other.id, last.id}
    assert reasons(plan, one)[0].startswith(f"may be needed by {last.id.label}, which does not restore and is kept")


def test_an_archive_that_many_need_says_so_in_one_sentence() -> None:
    full = archive(FULL, NOW - timedelta(days=60))
    rows = [(full, None), *((archive(DIFF, NOW - timedelta(days=days)), full.id) for days in range(40))]

    plan = planned(rows, policy(KeepRule(Every.POINT, None)))

    (_, needed) = reasons(plan, full)
    assert needed.startswith("needed by DIFF/")
    assert needed.endswith(", and by 39 more archives")


def test_what_an_older_point_builds_on_without_the_young_stays_too() -> None:
    """A FULL that came yesterday and claims to be old takes the place of the true one; that one is not let go."""
    true, point = archive(FULL, NOW - timedelta(days=30)), archive(INC, NOW - timedelta(days=20))
    planted = archive(FULL, NOW - timedelta(days=1), taken=NOW - timedelta(days=25))
    with_it = places([(true, None), (planted, None), (point, planted.id)])
    without_it = places([(true, None), (point, true.id)])
    by = policy(KeepRule(Every.POINT, 1), minimum_age=Span.parse("7d"))

    plan = plan_prune("p", with_it, without_it, by, UTC, NOW)

    assert reasons(plan, true) == [f"needed by {point.id.label} for point 1 of keep_last = 1"]


@pytest.mark.parametrize("is_spoilt", [False, True], ids=["with the young alone", "without the young alone"])
def test_a_point_that_restores_in_one_way_of_linking_counts(is_spoilt: bool) -> None:
    """A young archive that takes the place of the true parent spoils no older point, nor is one lost that needs it."""
    full, older, point = (archive(type, NOW - timedelta(days=day)) for type, day in ((FULL, 30), (FULL, 25), (INC, 20)))
    young = archive(FULL, NOW - timedelta(days=1), taken=NOW - timedelta(days=22))
    whole, broken = (point, full.id), (point, ArchiveId("p", FULL, "missing.tar.gz"))
    with_it = places([(full, None), (older, None), (young, None), broken if is_spoilt else whole])
    without_it = places([(full, None), (older, None), whole if is_spoilt else broken])
    by = policy(KeepRule(Every.POINT, 1), minimum_age=Span.parse("7d"), keep_broken=OLD)

    plan = plan_prune("p", with_it, without_it, by, UTC, NOW)

    assert kept(plan) == {full.id, young.id, point.id}
    assert reasons(plan, point) == ["point 1 of keep_last = 1"]


def test_suspicious_points_count_only_where_there_is_no_other() -> None:
    good, bad, alone = (archive(FULL, NOW - timedelta(days=day, hours=hour)) for day, hour in ((1, 9), (1, 1), (2, 0)))
    rows: Rows = [(good, None), (bad, None), (alone, None)]

    plan = planned(rows, policy(), Circumstances(suspicious={bad.id, alone.id}))

    assert kept(plan) == {good.id, alone.id}


def test_without_a_policy_nothing_is_ever_removed() -> None:
    there = places(chain(900, 800))
    plan = plan_prune("p", there, there, None, UTC, NOW)

    assert plan.verdict is PruneVerdict.NOTHING
    assert {reason.kind for one in plan.decisions for reason in one.reasons} == {ReasonKind.NO_POLICY}


def test_much_at_once_waits_for_an_approval() -> None:
    rows = [*chain(20, 19, 18, 17), *chain(9, 8, 7)]
    plan = planned(rows, policy(largest_share=0.25))

    assert plan.verdict is PruneVerdict.PAUSED
    assert plan.pauses[0].reason == (
        "4 archives of 7 would go at once, more than largest_share = 0.25 of the profile; approve the plan if that is "
        "meant"
    )
    assert plan.forbidding(is_approved=True) == ()
    assert planned(rows[1:], policy(largest_share=0.0)).verdict is not PruneVerdict.PAUSED


def test_an_approval_lifts_no_brake() -> None:
    brake = Pause(PauseKind.BRAKE, "an archive is suspicious")
    plan = planned([*chain(20, 19), *chain(9, 8, 7)], policy(), Circumstances(pauses=(brake,)))

    assert plan.verdict is PruneVerdict.PAUSED
    assert plan.forbidding(is_approved=True) == (brake,)


def test_the_digest_is_that_of_policy_and_removals() -> None:
    rows = [*chain(20, 19), *chain(9, 8, 7)]
    plan = planned(rows, policy())

    assert plan.digest == planned(rows, policy(), now=NOW + timedelta(seconds=1)).digest
    assert plan.digest != planned(rows[1:], policy()).digest
    assert plan.digest != planned(rows, policy(trash_for=Span.parse("8d"))).digest


def test_opacity_is_no_obstacle() -> None:
    """Of an encrypted archive nothing but its bytes is known; it counts like any other."""
    opaque = Contents(Kind.OPAQUE, 0, 0)
    rows = [(evolve(one, contents=opaque), parent) for one, parent in chain(3, 2, 1)]
    plan = planned(rows, policy())

    assert {reason.kind for one in plan.decisions for reason in one.reasons} == {ReasonKind.RULE, ReasonKind.NEEDED}


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_policy_checks_itself(share: float) -> None:
    with pytest.raises(ValueError, match="largest_share"):
        policy(largest_share=share)
    with pytest.raises(ValueError, match="keep_daily = 14"):
        policy(KeepRule(Every.DAY, 0))


def test_decisions_keep_the_archives_they_are_about() -> None:
    rows = chain(2, 1)
    assert [one.archive for one in planned(rows, policy()).decisions] == [one for one, _ in rows]
    assert all(isinstance(one, PruneDecision) for one in planned(rows, policy()).decisions)
