"""All profiles at a glance, page by page."""

from __future__ import annotations

from datetime import timedelta

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from tarkeep.domain.access.tokens import ANONYMOUS, Principal, Scope
from tarkeep.domain.archives.archive import ArchiveState
from tarkeep.domain.identity.archive_id import ArchiveId
from tarkeep.domain.usecases.watching.read_fleet import STALE_AFTER
from tarkeep.domain.watching.light import Concern, ConcernKind, Light
from tests.support.watched import Watched

NAMES = tuple(f"{kind}-{number}" for kind in ("web", "db") for number in range(6))
LIGHTS = st.sampled_from(Light)


def with_lights(watched: Watched, lights: dict[str, Light]) -> None:
    """Keep these, as if they had been worked out just now."""
    statuses = watched.catalog.statuses
    kept = statuses.all()
    assert len(kept) == len(lights)
    statuses.keep([evolve(one, concerns=concerns_with(lights[one.profile])) for one in kept])


def concerns_with(light: Light) -> tuple[Concern, ...]:
    return () if light is Light.GREEN else (Concern(ConcernKind.QUOTA, light, "something"),)


@settings(max_examples=40, deadline=None)
@given(
    lights=st.fixed_dictionaries(dict.fromkeys(NAMES, LIGHTS)),
    damaged=st.sets(st.sampled_from(NAMES), max_size=5),
    text=st.sampled_from(["", "web", "-1", "nobody"]),
    light=st.one_of(st.none(), LIGHTS),
    limit=st.integers(1, 7),
    sees=st.sampled_from([("*",), ("web-*",), ("web-1", "db-1"), ("none*",)]),
    is_stale=st.booleans(),
)
def test_the_pages_are_all_profiles_worst_first(
    lights: dict[str, Light],
    damaged: set[str],
    text: str,
    light: Light | None,
    limit: int,
    sees: tuple[str, ...],
    is_stale: bool,
) -> None:
    """Each once, whether it is as it is kept or has changed since; and none that the reader does not see."""
    watched = Watched()
    archives: dict[str, ArchiveId] = {name: watched.receive("a", name) for name in NAMES}
    for _ in range(2):  # the first is too soon after the start
        watched.look()
    with_lights(watched, lights)
    for name in damaged:
        watched.catalog.mark(archives[name], ArchiveState.DAMAGED)
    watched.clock.advance(STALE_AFTER * 2 if is_stale else timedelta(seconds=1))
    principal = Principal("tk", frozenset({Scope.LIST}), sees)
    mine = [name for name in sorted(NAMES) if principal.sees(name)]
    told = {name: Light.RED if name in damaged else Light.GREY if is_stale else lights[name] for name in mine}
    if is_stale and set(mine) <= damaged:  # then all were looked at just now
        assert not watched.tarkeep.read_fleet(principal).is_stale

    expected = [
        name
        for one in sorted(Light, key=lambda one: -one.rank)
        for name in mine
        if told[name] is one and light in (None, one) and text in name
    ]
    shown: list[tuple[str, Light]] = []
    for start in range(0, len(NAMES), limit):
        fleet = watched.tarkeep.read_fleet(principal, text=text, light=light, start=start, limit=limit)
        assert fleet.matching == len(expected)
        assert {one: count for one, count in fleet.counts.items() if count} == {
            one: list(told.values()).count(one) for one in set(told.values())
        }
        shown += [(row.profile, row.light) for row in fleet.rows]
    assert shown == [(name, told[name]) for name in expected]


def test_a_reader_of_few_profiles_sees_at_once_what_came_to_them() -> None:
    """However many others have changed, too."""
    watched = Watched()
    for number in range(30):
        watched.receive("a", f"machine-{number:02}")
    watched.receive("a", "web")

    fleet = watched.tarkeep.read_fleet(Principal("tk", frozenset({Scope.LIST}), ("w*",)))
    assert [row.profile for row in fleet.rows] == ["web"]
    assert len(watched.tarkeep.read_fleet(ANONYMOUS).rows) == 20
