"""What every `NoticeTable` promises."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import pytest
from attrs import evolve

from tarkeep.domain.notices.alert import Alert, Reach, Telling
from tarkeep.domain.notices.event import AlertKey, Event
from tarkeep.domain.notices.notice import Notice, NoticeItem, NoticeKind, NoticeOutcome
from tarkeep.domain.notices.settling import WINDOW, Known, Recent, Settlement
from tarkeep.domain.ports.upkeep.notices import NoticeTable
from tests.support.archives import NOON

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
KEY = AlertKey(Event.DAMAGED, "web", "FULL/a.tar.gz")
ALERT = Alert("a1", KEY, "it is damaged", NOON)


def notice(id: str = "n1", *, about: tuple[Alert, ...] = (ALERT,), channel: str = "ops") -> Notice:
    items = tuple(NoticeItem(one.id, one.key, one.text, one.began_at) for one in about)
    return Notice(id, channel, NoticeKind.ALERT, "a title", NOON, NOON, items)


def put(table: NoticeTable, *alerts: Alert, notices: tuple[Notice, ...] = ()) -> None:
    table.update((), NOON, lambda _known: Settlement(alerts, notices))


def known_of(table: NoticeTable, profiles: Collection[str | None], later: timedelta = timedelta()) -> Known:
    found: list[Known] = []

    def look(known: Known) -> Settlement:
        found[:] = [known]
        return Settlement()

    table.update(profiles, NOON + later, look)
    return found[0]


class NoticeTableContract:
    """An empty *table*."""

    @pytest.fixture
    def table(self) -> NoticeTable:
        raise NotImplementedError

    def test_alerts_and_notices_come_back_as_they_were(self, table: NoticeTable) -> None:
        telling = Telling(NOON + MINUTE, Reach.DELIVERED, was_reached=True)
        alert = evolve(ALERT, tellings={"ops": telling, "mail": Telling(NOON)}, look_at=NOON + DAY)
        of_server = Alert("a2", AlertKey(Event.DISK), "it is full", NOON + MINUTE)
        put(table, alert, of_server, notices=(notice(),))

        assert list(known_of(table, ("web", None)).alerts) == [alert, of_server]
        assert table.running() == [alert, of_server]
        assert table.running(("web",)) == [alert]
        assert table.due(NOON, limit=10) == [notice()]

    def test_only_what_is_asked_for_or_due_is_given(self, table: NoticeTable) -> None:
        """An alert of another profile is given once its time has come, a settled one only by its id."""
        settled = evolve(ALERT, id="a3", ended_at=NOON)
        due = evolve(ALERT, id="a4", key=AlertKey(Event.DAMAGED, "other"), look_at=NOON + MINUTE)
        put(table, ALERT, settled, due)

        assert settled.is_settled
        assert list(known_of(table, ("web",)).alerts) == [ALERT]
        assert list(known_of(table, ()).alerts) == []
        assert list(known_of(table, (), MINUTE).alerts) == [due]
        found: list[Alert] = []

        def look(known: Known) -> Settlement:
            found[:] = known.alerts
            return Settlement()

        table.update_told(["a3"], NOON, look)
        assert found == [settled]

    def test_what_is_put_again_takes_the_place(self, table: NoticeTable) -> None:
        put(table, ALERT, notices=(notice(),))
        tried = notice().failed("it does not answer", NOON)
        put(table, evolve(ALERT, text="another text"), notices=(tried,))

        assert [alert.text for alert in table.running()] == ["another text"]
        assert table.due(NOON, limit=10) == []
        assert table.due(NOON + MINUTE, limit=10) == [tried]

    def test_an_error_in_the_decision_changes_nothing(self, table: NoticeTable) -> None:
        def fail(_known: Known) -> Settlement:
            raise ValueError("no")

        put(table, ALERT)
        with pytest.raises(ValueError, match="no"):
            table.update(("web",), NOON, fail)
        assert table.running() == [ALERT]

    def test_what_was_told_lately_is_counted(self, table: NoticeTable) -> None:
        other = evolve(ALERT, id="a2")
        joined = evolve(notice("n2", about=(ALERT, other)), created_at=NOON + MINUTE)
        put(table, ALERT, other, notices=(notice(), joined, notice("n3", channel="mail")))

        assert known_of(table, (), MINUTE).recent == {"ops": Recent(1, NOON + MINUTE), "mail": Recent(1)}
        assert known_of(table, (), WINDOW).recent == {"ops": Recent(0, NOON + MINUTE)}

    def test_channels_that_fail_are_known(self, table: NoticeTable) -> None:
        given_up = evolve(notice(), outcome=NoticeOutcome.UNDELIVERED, ended_at=NOON + DAY, error="no", tries=9)
        put(table, ALERT, notices=(given_up, notice("n2")))
        found = table.channels()["ops"]
        assert (found.given_up, found.delivered, found.waiting, found.is_failing) == (given_up, None, 1, True)

        delivered = notice("n2").delivered(NOON + DAY + MINUTE)
        put(table, notices=(delivered,))
        found = table.channels()["ops"]
        assert (found.delivered, found.waiting, found.is_failing) == (delivered, 0, False)

    def test_what_waits_after_a_try_in_vain_is_known(self, table: NoticeTable) -> None:
        """The oldest such; it is no more once it was delivered."""
        tried = [
            evolve(notice(id), created_at=NOON + MINUTE * at).failed("it is away", NOON + DAY)
            for id, at in (("n2", 2), ("n1", 1))
        ]
        put(table, ALERT, notices=(notice("n3"), *tried, notice("n4", channel="mail")))
        found = table.channels()
        assert (found["ops"].in_vain, found["ops"].waiting, found["mail"].in_vain) == (tried[1], 3, None)

        put(table, notices=(tried[1].delivered(NOON + DAY),))
        assert table.channels()["ops"].in_vain == tried[0]

    def test_a_test_says_nothing_of_a_channel(self, table: NoticeTable) -> None:
        put(table, notices=(evolve(notice(about=()), kind=NoticeKind.TEST).delivered(NOON),))
        assert table.channels() == {}
        assert set(table.newest(NoticeKind.TEST)) == {"ops"}

    def test_the_newest_of_a_kind(self, table: NoticeTable) -> None:
        newer = evolve(notice("n2"), created_at=NOON + DAY)
        put(table, notices=(newer, notice("n1"), notice("n3", channel="mail")))
        assert table.newest(NoticeKind.ALERT) == {"ops": newer, "mail": notice("n3", channel="mail")}
        assert table.newest(NoticeKind.DIGEST) == {}

    def test_old_ones_are_dropped(self, table: NoticeTable) -> None:
        """Not what waits, is not settled, or is the newest of its channel."""
        settled = evolve(ALERT, id="a3", ended_at=NOON)
        older, newer = notice("n1").delivered(NOON), evolve(notice("n2"), created_at=NOON + MINUTE)
        newer = newer.delivered(NOON + MINUTE)
        waiting = notice("n3", channel="mail")
        put(table, ALERT, settled, notices=(older, newer, waiting))

        table.drop_old(NOON + DAY)

        assert table.running() == [ALERT]
        assert table.channels()["ops"].delivered == newer
        assert table.due(NOON, limit=10) == [waiting]
        given: list[Alert] = []

        def look(known: Known) -> Settlement:
            given[:] = known.alerts
            return Settlement()

        table.update_told(["a1", "a3"], NOON, look)
        assert given == [ALERT]
