"""All profiles at once: what is told of each is what a look at it tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tarkeep.domain.access.tokens import ANONYMOUS, Principal, Scope
from tarkeep.domain.archives.archive import ArchiveState
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.profiles.expectation import Cadence, Expectation
from tarkeep.domain.profiles.span import Span
from tarkeep.domain.usecases.restoring.load_points import LoadPoints, ProfilePoints
from tarkeep.domain.usecases.watching.check_profiles import ProfileBrief, brief_of
from tarkeep.domain.watching.light import ConcernKind, Light
from tests.support.watched import Watched

NAMES = ("db-1", "web-1", "web-2", "web-3")
NIGHTLY = Expectation((Cadence(None, Span.parse("1d")),), timedelta(hours=1))
SECONDS = ["1", "70", "2000", "50000", "90000", "3000000"]

Event = tuple[str, str]
EVENTS = st.one_of(
    st.tuples(st.sampled_from(["receive", "damage", "mend"]), st.sampled_from(NAMES)),
    st.tuples(st.just("wait"), st.sampled_from(SECONDS)),
    st.just(("look", "")),
)


def told(brief: ProfileBrief) -> tuple[object, ...]:
    """Everything of *brief*, but how many archives are unread, which is told when a profile is next looked at."""
    kinds = [(one.kind, "" if one.kind is ConcernKind.SCRUB_BEHIND else one.text) for one in brief.concerns]
    return brief.profile, brief.light, kinds, brief.newest, brief.received_at, brief.drilled, brief.rehearsed


def happens(watched: Watched, event: str, what: str, number: int) -> None:
    if event == "receive":
        watched.receive(f"a{number}", what)
    elif event == "wait":
        watched.clock.advance(timedelta(seconds=int(what)))
    elif event == "look":
        watched.look()
    else:
        state = ArchiveState.DAMAGED if event == "damage" else ArchiveState.STORED
        for arrival in watched.catalog.arrivals(what, limit=1):
            watched.catalog.mark(ArchiveId(what, BackupType.FULL, arrival.name), state)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(EVENTS, max_size=25),
    st.sampled_from([None, NIGHTLY]),
    st.sampled_from([("*",), ("web-*",), ("db-1",), ("none*",)]),
)
def test_all_that_the_caller_sees_are_told_as_a_look_tells_them(
    events: Sequence[Event], expectation: Expectation | None, sees: tuple[str, ...]
) -> None:
    watched = Watched(expectation)
    watched.look()
    for number, (event, what) in enumerate([("receive", "web-1"), *events]):
        happens(watched, event, what, number)
    principal = Principal("tk", frozenset({Scope.LIST}), sees)

    found = watched.tarkeep.check_profiles(principal)

    names = sorted({row.profile for row in watched.catalog.totals() if principal.sees(row.profile)})
    looked = [brief_of(watched.tarkeep.check_profile(name)) for name in names]
    worst = sorted(looked, key=lambda brief: (-brief.light.rank, brief.profile))
    assert [told(brief) for brief in found.told] == [told(brief) for brief in worst if brief.light is not Light.GREEN]
    assert +Counter(found.counts) == Counter(brief.light for brief in looked)


def test_profiles_that_did_not_change_are_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one question reads every archive of the server."""
    watched = Watched()
    for name in NAMES:
        watched.receive("a", name)
    for _ in range(2):  # the first is too soon after the start
        watched.look()
    looked: list[str] = []

    def counting(self: LoadPoints, profile: str) -> ProfilePoints:
        looked.append(profile)
        return load_points(self, profile)

    load_points = LoadPoints.__call__
    monkeypatch.setattr(LoadPoints, "__call__", counting)
    watched.receive("b", "web-2")
    watched.tarkeep.check_profiles(ANONYMOUS)
    assert looked == ["web-2"]
    watched.clock.advance(timedelta(hours=1))  # in which nobody looked
    watched.tarkeep.check_profiles(ANONYMOUS)
    assert sorted(looked) == sorted([*NAMES, "web-2"])
