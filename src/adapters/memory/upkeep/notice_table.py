"""Alerts and notices, for as long as the process runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from datetime import datetime

from attrs import define, field

from ....domain.notices.alert import Alert
from ....domain.notices.notice import Notice, NoticeKind, NoticeOutcome
from ....domain.notices.settling import WINDOW, Known, Recent, Settlement
from ....domain.ports.upkeep.notices import ChannelRecord, Decide


@define(eq=False)
class MemoryNoticeTable:
    """`NoticeTable` in this process's memory."""

    _alerts: dict[str, Alert] = field(factory=dict, init=False)
    _notices: dict[str, Notice] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def update(self, profiles: Collection[str | None], now: datetime, decide: Decide) -> Settlement:
        def is_meant(alert: Alert) -> bool:
            is_due = alert.look_at is not None and alert.look_at <= now
            return not alert.is_settled and (alert.key.profile in profiles or is_due)

        return self._update(is_meant, now, decide)

    def update_told(self, alerts: Collection[str], now: datetime, decide: Decide) -> Settlement:
        return self._update(lambda alert: alert.id in alerts, now, decide)

    def _update(self, is_meant: Callable[[Alert], bool], now: datetime, decide: Decide) -> Settlement:
        with self._lock:
            known = [alert for alert in self._in_time() if is_meant(alert)]
            said = decide(Known(known, self._recent(now)))
            self._alerts |= {alert.id: alert for alert in said.alerts}
            self._notices |= {notice.id: notice for notice in said.notices}
            return said

    def due(self, now: datetime, *, limit: int) -> list[Notice]:
        with self._lock:
            waiting = [one for one in self._notices.values() if one.outcome is NoticeOutcome.WAITING]
        due = [one for one in waiting if one.next_at <= now]
        return sorted(due, key=lambda one: (one.next_at, one.created_at, one.id))[:limit]

    def running(self, profiles: Collection[str | None] | None = None) -> list[Alert]:
        with self._lock:
            found = [alert for alert in self._in_time() if alert.ended_at is None]
        return [one for one in found if profiles is None or one.key.profile in profiles]

    def channels(self) -> dict[str, ChannelRecord]:
        with self._lock:
            notices = [one for one in self._notices.values() if one.kind is not NoticeKind.TEST]
        found: dict[str, ChannelRecord] = {}
        for channel in sorted({one.channel for one in notices}):
            its = [one for one in notices if one.channel == channel]
            found[channel] = ChannelRecord(
                _last(its, NoticeOutcome.DELIVERED),
                _last(its, NoticeOutcome.UNDELIVERED),
                sum(one.outcome is NoticeOutcome.WAITING for one in its),
                min(
                    (one for one in its if one.outcome is NoticeOutcome.WAITING and one.tries),
                    key=lambda one: (one.created_at, one.id),
                    default=None,
                ),
            )
        return found

    def newest(self, kind: NoticeKind) -> dict[str, Notice]:
        with self._lock:
            those = [one for one in self._notices.values() if one.kind is kind]
        return {one.channel: one for one in sorted(those, key=lambda one: (one.created_at, one.id))}

    def drop_old(self, before: datetime) -> None:
        records = self.channels().values()
        kept = {one.id for record in records for one in (record.delivered, record.given_up) if one is not None}
        kept |= {one.id for kind in NoticeKind for one in self.newest(kind).values()}
        with self._lock:
            self._alerts = {
                id: one
                for id, one in self._alerts.items()
                if not (one.is_settled and one.ended_at is not None and one.ended_at < before)
            }
            self._notices = {
                id: one
                for id, one in self._notices.items()
                if id in kept or one.ended_at is None or one.ended_at >= before
            }

    def _in_time(self) -> list[Alert]:
        return sorted(self._alerts.values(), key=lambda one: (one.began_at, one.id))

    def _recent(self, now: datetime) -> dict[str, Recent]:
        found: dict[str, Recent] = {}
        for one in sorted(self._notices.values(), key=lambda one: one.created_at):
            if one.kind is NoticeKind.ALERT and one.created_at > now - WINDOW:
                before = found.get(one.channel, Recent())
                is_single = len(one.items) == 1
                found[one.channel] = Recent(
                    before.single + is_single, before.joined_at if is_single else one.created_at
                )
        return found


def _last(notices: Collection[Notice], outcome: NoticeOutcome) -> Notice | None:
    ended = [(one.ended_at, one.created_at, one.id, one) for one in notices if one.outcome is outcome and one.ended_at]
    return max(ended, key=lambda found: found[:3])[3] if ended else None
