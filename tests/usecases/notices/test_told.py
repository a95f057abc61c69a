"""Alerts from their beginning to their end: who is told, when, and what a crash changes."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from tarkeep.adapters.cron_lines import CronsimLines
from tarkeep.domain.archives.archive import ArchiveState
from tarkeep.domain.errors.notices import NotDelivered
from tarkeep.domain.notices.event import Event
from tarkeep.domain.notices.notice import NoticeKind
from tarkeep.domain.notices.routes import Digest, Route
from tarkeep.domain.profiles.expectation import Cadence, Expectation
from tarkeep.domain.profiles.span import Span
from tarkeep.domain.usecases.notices.heartbeat import Beat
from tarkeep.domain.usecases.watching.watch import WATCH
from tarkeep.domain.watching.light import ConcernKind, Light
from tests.support.archives import NOON
from tests.support.assembled import Crash, Fuse
from tests.support.watched import OPS, Watched

ALERT, RECOVERY, REMINDER = NoticeKind.ALERT, NoticeKind.RECOVERY, NoticeKind.REMINDER
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
BOTH = [("damaged", "FULL/a.tar.gz"), ("unrestorable", "")]


def break_it(watched: Watched) -> None:
    watched.catalog.mark(watched.receive("a"), ArchiveState.DAMAGED)


def repair(watched: Watched) -> None:
    watched.receive("a")


def test_an_alert_is_told_once_and_so_is_its_end() -> None:
    watched = Watched()
    watched.look()
    break_it(watched)
    for _ in range(5):
        watched.look()
        watched.restart()
    assert sorted(watched.events()) == BOTH

    repair(watched)
    for _ in range(5):
        watched.look()
        watched.restart()
    assert sorted(watched.events(ALERT)) == BOTH
    assert sorted(watched.events(RECOVERY)) == BOTH
    assert watched.catalog.notices.running() == []


def test_nothing_is_told_before_it_has_lasted_and_nothing_of_what_was_over_before() -> None:
    watched = Watched(route=Route((OPS,), after=HOUR))
    watched.look()
    break_it(watched)
    watched.look()
    repair(watched)
    watched.look(2 * HOUR)
    watched.look()
    assert watched.told() == []

    watched.catalog.mark(watched.receive("a"), ArchiveState.DAMAGED)
    watched.look()
    watched.look(HOUR - MINUTE)
    assert watched.told() == []
    watched.look(MINUTE)
    watched.look()
    assert sorted(watched.events()) == BOTH


def test_it_is_told_again_while_it_lasts() -> None:
    watched = Watched(route=Route((OPS,), frozenset({Event.DAMAGED}), remind=HOUR))
    watched.look()
    break_it(watched)
    watched.look()
    for _ in range(3):
        watched.look(HOUR)
        watched.look()
    assert [one.kind for one in watched.told()] == [ALERT, REMINDER, REMINDER, REMINDER]
    repair(watched)
    watched.look()
    watched.look(HOUR)
    assert [one.kind for one in watched.told()][4:] == [RECOVERY]


def test_routes_choose_events_and_profiles() -> None:
    watched = Watched(route=Route((OPS,), frozenset({Event.DAMAGED}), ("web-*",)))
    watched.look()
    for profile in ("web-1", "other"):
        watched.catalog.mark(watched.receive("a", profile), ArchiveState.DAMAGED)
    watched.look()
    assert [(item.key.event, item.key.profile) for one in watched.told() for item in one.items] == [
        (Event.DAMAGED, "web-1")
    ]


def test_more_than_twenty_become_one() -> None:
    watched = Watched(route=Route((OPS,), frozenset({Event.DAMAGED})))
    watched.look()
    for number in range(30):
        watched.catalog.mark(watched.receive("a", f"p{number:02}"), ArchiveState.DAMAGED)
    watched.look()
    (joined,) = watched.told()
    assert len(joined.items) == 30
    assert joined.title == "30 alerts: 30 damaged"

    for number in range(30, 60):  # still in the same ten minutes
        watched.catalog.mark(watched.receive("a", f"p{number:02}"), ArchiveState.DAMAGED)
    watched.look()
    assert len(watched.told()) == 1
    watched.look(10 * MINUTE)
    watched.look()
    assert [len(one.items) for one in watched.told()] == [30, 30]
    assert len({item.key for one in watched.told() for item in one.items}) == 60


def test_what_is_not_taken_is_tried_again_and_given_up_after_three_days() -> None:
    watched = Watched(route=Route((OPS,), frozenset({Event.DAMAGED})))
    watched.channel.refusal = "it is away"
    watched.look()
    break_it(watched)
    tries = 0
    start = watched.clock.now()
    watched.look(MINUTE)
    (concern,) = watched.tarkeep.check_server()
    assert (concern.kind, concern.light) == (ConcernKind.NOTICES_WAIT, Light.YELLOW)
    assert concern.text.endswith("was tried 1 time, at last: it is away")
    events = {alert.key.event for alert in watched.catalog.notices.running()}
    assert events == {Event.DAMAGED, Event.UNRESTORABLE}  # nobody is told of the channel yet
    while not watched.catalog.notices.channels().get(OPS) or not watched.catalog.notices.channels()[OPS].given_up:
        watched.look(MINUTE)
        tries += 1
        assert watched.clock.now() - start < timedelta(days=4)
    given_up = watched.catalog.notices.channels()[OPS].given_up
    assert given_up is not None
    assert timedelta(days=3) <= watched.clock.now() - start <= timedelta(days=3, hours=7)
    assert 15 <= given_up.tries <= 30
    (concern,) = [one for one in watched.tarkeep.check_server() if one.kind is ConcernKind.UNDELIVERED]
    assert (concern.light, "it is away" in concern.text) == (Light.RED, True)

    watched.channel.refusal = ""
    repair(watched)
    watched.look()
    watched.look()
    assert watched.told() == []  # nobody was told that it began


def test_the_heartbeat_is_called_while_jobs_keep_time() -> None:
    """Not before the first look, once a minute, and no longer once the job watch stands still."""
    calls: list[datetime] = []
    watched = Watched()
    beat = Beat(lambda: calls.append(watched.clock.now()), watched.catalog.jobs, watched.clock, WATCH)
    assert (beat(), calls) == ("", [])
    watched.look()
    for _ in range(6):
        watched.look()
        assert beat() == ""
    assert [later - earlier for earlier, later in pairwise(calls)] == [MINUTE, MINUTE]

    calls.clear()
    for _ in range(10):  # nothing looks
        watched.clock.advance(MINUTE)
        beat()
    assert len(calls) < 5
    assert watched.clock.now() - calls[-1] >= 5 * MINUTE


def test_an_address_that_is_not_reached_is_told() -> None:
    def fail() -> None:
        raise NotDelivered("it is away")

    watched = Watched()
    watched.look()
    watched.look()
    assert Beat(fail, watched.catalog.jobs, watched.clock, WATCH)() == "heartbeat_url was not reached: it is away"


def test_what_is_over_before_it_was_delivered_is_told_with_its_end() -> None:
    watched = Watched(route=Route((OPS,), frozenset({Event.DAMAGED})))
    watched.channel.refusal = "it is away"
    watched.look()
    break_it(watched)
    watched.look()
    repair(watched)
    watched.look()
    watched.channel.refusal = ""
    for _ in range(4):
        watched.look(2 * MINUTE)
    assert [one.kind for one in watched.told()] == [ALERT, RECOVERY]


def test_an_event_can_be_raised_by_name_and_ended() -> None:
    watched = Watched()
    watched.look()
    watched.tarkeep.raise_event(Event.DRILL_DIFFERENT, "web", "FULL/a.tar.gz", "the drill found a difference")
    watched.tarkeep.raise_event(Event.DRILL_DIFFERENT, "web", "FULL/a.tar.gz", "the drill found a difference")
    watched.tarkeep.raise_event(Event.UNSTABLE, "web", "FULL/a.tar.gz", "it was wrong once", is_momentary=True)
    watched.look()
    assert watched.events(ALERT) == [("drill-different", "FULL/a.tar.gz"), ("unstable", "FULL/a.tar.gz")]
    watched.tarkeep.end_event(Event.DRILL_DIFFERENT, "web", "FULL/a.tar.gz")
    watched.look()
    watched.look()
    assert watched.events(RECOVERY) == [("drill-different", "FULL/a.tar.gz")]


def test_what_is_learnt_outlives_pruning() -> None:
    """Two archives show no rhythm; five that were removed do."""
    watched = Watched(route=Route((OPS,), frozenset({Event.OVERDUE})))
    ids = []
    for number in range(7):
        ids.append(watched.receive(f"a{number}"))
        watched.clock.advance(24 * HOUR)
    for id in ids[:5]:
        watched.catalog.mark(id, ArchiveState.TRASHED)
    watched.look(HOUR)
    assert watched.told() == []
    watched.look(6 * HOUR)
    watched.look()
    assert [event for event, _ in watched.events()] == ["overdue"]


def test_only_an_archive_that_restores_is_fresh() -> None:
    """Others that keep coming do not hide that none restores."""
    expectation = Expectation((Cadence(None, Span.parse("1d")),), HOUR)
    watched = Watched(expectation, Route((OPS,), frozenset({Event.OVERDUE})))
    watched.receive("a")
    for number in range(3):
        watched.look(24 * HOUR)
        watched.catalog.mark(watched.receive(f"b{number}"), ArchiveState.DAMAGED)
        watched.look(2 * HOUR)
        watched.look()
    assert len(watched.events(ALERT)) == 3
    watched.receive("c")
    watched.look()
    watched.look()
    (over,) = watched.told(RECOVERY)
    assert len(over.items) == 3


def test_the_digest_comes_even_of_nothing() -> None:
    monday = CronsimLines().read("0 8 * * 1", NOON.tzinfo or NOON.astimezone().tzinfo)  # type: ignore[arg-type]
    watched = Watched(digest=Digest((OPS,), monday))
    watched.look()
    for _ in range(15 * 24):
        watched.look(HOUR)
        watched.restart()
        watched.look()
    assert [one.title for one in watched.told(NoticeKind.DIGEST)] == ["digest: 0 profiles"] * 2


def _story(watched: Watched) -> None:
    """What happens, whatever the server makes of it."""
    for happens in (break_it, repair):
        happens(watched)
        for _ in range(3):
            watched.look()


def test_killed_at_each_call_no_event_is_lost_or_told_twice_but_one_under_way() -> None:
    """Property: the same notice may arrive twice, by its id, if the kill came between sending and noting."""
    whole = Watched(route=Route((OPS,), frozenset({Event.DAMAGED})))
    whole.look()
    whole.fuse = Fuse()
    whole.start()
    _story(whole)
    steps = whole.fuse.steps
    assert steps > 20

    for blows_at in range(1, steps + 1):
        watched = Watched(route=Route((OPS,), frozenset({Event.DAMAGED})))
        watched.look()
        watched.fuse = Fuse(blows_at)
        watched.start()
        for happens in (break_it, repair):
            happens(watched)
            for _ in range(4):
                try:
                    watched.look()
                except Crash:
                    watched.restart()
        for _ in range(3):
            watched.look()

        messages = {one.id: one for one in watched.told()}
        assert [one.kind for one in messages.values()] == [ALERT, RECOVERY], blows_at
        assert len(watched.told()) - len(messages) <= 1, blows_at


@pytest.mark.parametrize("again", [1, 3])
def test_a_look_without_changes_tells_nothing(again: int) -> None:
    watched = Watched()
    watched.receive("a")
    for _ in range(again):
        watched.look()
    assert watched.told() == []
