"""Alerts and notices in the database of the SQL catalog."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec
from attrs import frozen
from sqlalchemy import bindparam, delete, func, literal, or_, select

from ....domain.notices.alert import Alert, Reach, Telling
from ....domain.notices.event import AlertKey, Event
from ....domain.notices.notice import Notice, NoticeItem, NoticeKind, NoticeOutcome
from ....domain.notices.settling import WINDOW, Known, Recent, Settlement
from ....domain.ports.upkeep.notices import ChannelRecord, Decide
from ....domain.text.paths import whole
from ..engine import is_one_of
from ..rows import Query, Rows, Values, as_written, microseconds, time_of
from ..schema import EVERYBODY, OPEN_ALERT, alerts, outbox
from ..statements import Transaction

_Result = TypeVar("_Result")


class _Read(Protocol):
    def __call__(self, statement: Query, values: Values) -> Rows: ...


class _Write(Protocol):
    def __call__(self, work: Callable[[Transaction], _Result]) -> _Result: ...


@frozen
class SqlNoticeTable:
    """`NoticeTable` in a database, by the queries and the transactions of its catalog."""

    _all: _Read
    _write: _Write

    def update(self, profiles: Collection[str | None], now: datetime, decide: Decide) -> Settlement:
        names = [EVERYBODY if profile is None else profile for profile in profiles]
        wanted: Values = {"profiles": msgspec.json.encode(names).decode(), "now": microseconds(now)}
        return self._update(_UNSETTLED, wanted, now, decide)

    def update_told(self, alerts: Collection[str], now: datetime, decide: Decide) -> Settlement:
        return self._update(_THESE, {"ids": msgspec.json.encode(list(alerts)).decode()}, now, decide)

    def _update(self, statement: Query, wanted: Values, now: datetime, decide: Decide) -> Settlement:
        def change(transaction: Transaction) -> Settlement:
            with as_written():
                known = [_alert(*row) for row in transaction.rows(statement, wanted)]
            said = decide(Known(known, _recent(transaction, now)))
            transaction.run_each(_DROP_ALERT, [{"of_id": one.id} for one in said.alerts])
            transaction.run_each(_PUT_ALERT, [_alert_values(one) for one in said.alerts])
            transaction.run_each(_DROP_NOTICE, [{"of_id": one.id} for one in said.notices])
            transaction.run_each(_PUT_NOTICE, [_notice_values(one) for one in said.notices])
            return said

        return self._write(change)

    def due(self, now: datetime, *, limit: int) -> list[Notice]:
        return self._notices(_DUE, {"now": microseconds(now), "limit": limit})

    def running(self, profiles: Collection[str | None] | None = None) -> list[Alert]:
        rows = self._all(_RUNNING, {})
        with as_written():
            found = [_alert(*row) for row in rows]
        return [one for one in found if profiles is None or one.key.profile in profiles]

    def channels(self) -> dict[str, ChannelRecord]:
        found: dict[str, ChannelRecord] = {}
        waiting = {channel: int(count) for channel, count in self._all(_WAITING, {})}
        in_vain: dict[str, Notice] = {}
        for notice in self._notices(_IN_VAIN, {}) if waiting else ():
            in_vain.setdefault(notice.channel, notice)
        newest: dict[tuple[str, NoticeOutcome], Notice] = {}
        for notice in self._notices(_ENDED, {}):
            newest[notice.channel, notice.outcome] = notice
        for channel in sorted({*waiting, *(channel for channel, _ in newest)}):
            found[channel] = ChannelRecord(
                newest.get((channel, NoticeOutcome.DELIVERED)),
                newest.get((channel, NoticeOutcome.UNDELIVERED)),
                waiting.get(channel, 0),
                in_vain.get(channel),
            )
        return found

    def newest(self, kind: NoticeKind) -> dict[str, Notice]:
        return {notice.channel: notice for notice in self._notices(_OF_KIND, {"kind": kind.value})}

    def drop_old(self, before: datetime) -> None:
        kept = {one.id for record in self.channels().values() for one in (record.delivered, record.given_up) if one}
        kept |= {one.id for kind in NoticeKind for one in self.newest(kind).values()}
        values: Values = {"before": microseconds(before), "kept": msgspec.json.encode(sorted(kept)).decode()}

        def drop(transaction: Transaction) -> None:
            transaction.run(_DROP_OLD_ALERTS, {"before": values["before"]})
            transaction.run(_DROP_OLD_NOTICES, values)

        self._write(drop)

    def _notices(self, statement: Query, values: Values) -> list[Notice]:
        rows = self._all(statement, values)
        with as_written():
            return [_notice(*row) for row in rows]


def _recent(transaction: Transaction, now: datetime) -> dict[str, Recent]:
    since: Values = {"kind": NoticeKind.ALERT.value, "since": microseconds(now - WINDOW)}
    found: dict[str, Recent] = {}
    for channel, created_us, items in transaction.rows(_RECENT, since):
        before = found.get(channel, Recent())
        if len(msgspec.json.decode(items)) > 1:
            found[channel] = Recent(before.single, time_of(created_us))
        else:
            found[channel] = Recent(before.single + 1, before.joined_at)
    return found


def _alert_values(alert: Alert) -> Values:
    tellings = {
        channel: (microseconds(one.at), one.reach.value, one.was_reached, one.is_over_told)
        for channel, one in alert.tellings.items()
    }
    return {
        "id": alert.id,
        "event": alert.key.event.value,
        "profile": EVERYBODY if alert.key.profile is None else alert.key.profile,
        "subject": whole(alert.key.subject),
        "text": whole(alert.text),
        "began_us": microseconds(alert.began_at),
        "ended_us": None if alert.ended_at is None else microseconds(alert.ended_at),
        "momentary": alert.is_momentary,
        "settled": alert.is_settled,
        "look_us": None if alert.look_at is None else microseconds(alert.look_at),
        "tellings": msgspec.json.encode(tellings).decode(),
    }


def _alert(
    id: str,
    event: str,
    profile: str,
    subject: str,
    text: str,
    began_us: int,
    ended_us: int | None,
    momentary: bool,
    look_us: int | None,
    tellings: str,
) -> Alert:
    told: dict[str, tuple[int, str, bool, bool]] = msgspec.json.decode(tellings)
    return Alert(
        id,
        AlertKey(Event(event), None if profile == EVERYBODY else profile, subject),
        text,
        time_of(began_us),
        None if ended_us is None else time_of(ended_us),
        bool(momentary),
        {
            channel: Telling(time_of(at_us), Reach(reach), was_reached, is_over_told)
            for channel, (at_us, reach, was_reached, is_over_told) in told.items()
        },
        None if look_us is None else time_of(look_us),
    )


def _notice_values(notice: Notice) -> Values:
    items = [
        (
            one.alert,
            one.key.event.value,
            one.key.profile,
            whole(one.key.subject),
            whole(one.text),
            microseconds(one.began_at),
        )
        for one in notice.items
    ]
    return {
        "id": notice.id,
        "channel": notice.channel,
        "kind": notice.kind.value,
        "title": whole(notice.title),
        "text": whole(notice.text),
        "about": msgspec.json.encode(items).decode(),
        "created_us": microseconds(notice.created_at),
        "next_us": microseconds(notice.next_at),
        "tries": notice.tries,
        "outcome": notice.outcome.value,
        "ended_us": None if notice.ended_at is None else microseconds(notice.ended_at),
        "error": whole(notice.error),
    }


def _notice(
    id: str,
    channel: str,
    kind: str,
    title: str,
    text: str,
    items: str,
    created_us: int,
    next_us: int,
    tries: int,
    outcome: str,
    ended_us: int | None,
    error: str,
) -> Notice:
    told: list[Any] = msgspec.json.decode(items)
    return Notice(
        id,
        channel,
        NoticeKind(kind),
        title,
        time_of(created_us),
        time_of(next_us),
        tuple(
            NoticeItem(alert, AlertKey(Event(event), profile, subject), said, time_of(began_us))
            for alert, event, profile, subject, said, began_us in told
        ),
        text,
        tries,
        NoticeOutcome(outcome),
        None if ended_us is None else time_of(ended_us),
        error,
    )


_a, _o = alerts.c, outbox.c
_ALERT = (
    _a.id,
    _a.event,
    _a.profile,
    _a.subject,
    _a.text,
    _a.began_us,
    _a.ended_us,
    _a.momentary,
    _a.look_us,
    _a.tellings,
)
_NOTICE = (
    _o.id,
    _o.channel,
    _o.kind,
    _o.title,
    _o.text,
    _o.about,
    _o.created_us,
    _o.next_us,
    _o.tries,
    _o.outcome,
    _o.ended_us,
    _o.error,
)
_in_time = (_a.began_us, _a.id)
_UNSETTLED = (
    select(*_ALERT)
    .where(OPEN_ALERT, or_(is_one_of(_a.profile, "profiles"), _a.look_us <= bindparam("now")))
    .order_by(*_in_time)
)
_THESE = select(*_ALERT).where(is_one_of(_a.id, "ids")).order_by(*_in_time)
_RUNNING = select(*_ALERT).where(OPEN_ALERT, _a.ended_us.is_(None)).order_by(*_in_time)
_waits = _o.outcome == literal(NoticeOutcome.WAITING.value)
_DUE = (
    select(*_NOTICE)
    .where(_waits, _o.next_us <= bindparam("now"))
    .order_by(_o.next_us, _o.created_us, _o.id)
    .limit(bindparam("limit"))
)
_is_no_test = _o.kind != literal(NoticeKind.TEST.value)
_WAITING = select(_o.channel, func.count()).where(_waits, _is_no_test).group_by(_o.channel)
_IN_VAIN = select(*_NOTICE).where(_waits, _is_no_test, _o.tries > literal(0)).order_by(_o.created_us, _o.id)
_RECENT = (
    select(_o.channel, _o.created_us, _o.about)
    .where(_o.kind == bindparam("kind"), _o.created_us > bindparam("since"))
    .order_by(_o.created_us)
)
_last = outbox.alias()
_newest_end = (
    select(func.max(_last.c.ended_us))
    .where(
        _last.c.channel == _o.channel,
        _last.c.outcome == _o.outcome,
        _last.c.kind != literal(NoticeKind.TEST.value),
    )
    .correlate(outbox)
    .scalar_subquery()
)
_ENDED = select(*_NOTICE).where(~_waits, _is_no_test, _o.ended_us == _newest_end).order_by(_o.created_us, _o.id)
_newest_made = (
    select(func.max(_last.c.created_us))
    .where(_last.c.channel == _o.channel, _last.c.kind == _o.kind)
    .correlate(outbox)
    .scalar_subquery()
)
_OF_KIND = (
    select(*_NOTICE).where(_o.kind == bindparam("kind"), _o.created_us == _newest_made).order_by(_o.channel, _o.id)
)
_DROP_ALERT = delete(alerts).where(_a.id == bindparam("of_id"))
_PUT_ALERT = alerts.insert().inline()
_DROP_NOTICE = delete(outbox).where(_o.id == bindparam("of_id"))
_PUT_NOTICE = outbox.insert().inline()
_DROP_OLD_ALERTS = delete(alerts).where(_a.settled, _a.ended_us < bindparam("before"))
_DROP_OLD_NOTICES = delete(outbox).where(~_waits, _o.ended_us < bindparam("before"), ~is_one_of(_o.id, "kept"))
