"""
What follows for alerts and notices when conditions begin and end, and when notices are delivered or given up. Pure.

1. A condition opens an alert; while it lasts there is no other with its key. When it is over, so is the alert.
2. A channel is told of an alert once it has lasted as long as its route says. One that is over before is never told.
3. A channel is told that an alert is over when both are so: it is over, and a notice of it was delivered there.
4. More than twenty alerts in ten minutes become one notice for a channel: those that are too many wait until ten
   minutes have passed since the last such notice, and are told together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from attrs import define, evolve, field, frozen

from ..text.counted import counted
from .alert import Alert, Reach, Telling
from .event import AlertKey, Condition
from .notice import Notice, NoticeItem, NoticeKind, NoticeOutcome
from .routes import NoticePlan, TellTimes

MANY = 20
WINDOW = timedelta(minutes=10)

NewId: TypeAlias = Callable[[], str]


@frozen
class Recent:
    """What a channel was told of in the last `WINDOW`: *single* notices of one alert, and when of many at once."""

    single: int = 0
    joined_at: datetime | None = None


@frozen
class Known:
    """The *alerts* in question, and what each channel was told of recently."""

    alerts: Sequence[Alert] = ()
    recent: Mapping[str, Recent] = field(factory=dict)


@frozen
class Settlement:
    """What changes: *alerts* and *notices*, new ones or in place of those with the same id."""

    alerts: tuple[Alert, ...] = ()
    notices: tuple[Notice, ...] = ()


def settle(
    known: Known,
    conditions: Iterable[Condition],
    ends: Callable[[AlertKey], bool],
    now: datetime,
    plan: NoticePlan,
    new_id: NewId,
    moments: Iterable[Condition] = (),
) -> Settlement:
    """
    Bring the known alerts to what is so *now*.

    *conditions* are all that hold of those keys for which *ends* is true: an alert with such a key and without a
    condition is over. *moments* happened just now, and are over.
    """
    drafts = _Drafts(known, now, plan, new_id)
    wanted = {one.key: one for one in conditions}
    running = {alert.key: alert for alert in known.alerts if alert.ended_at is None}
    for key, alert in running.items():
        if key in wanted:
            if wanted[key].text != alert.text:
                drafts.put(evolve(alert, text=wanted[key].text))
        elif ends(key):
            drafts.put(evolve(alert, ended_at=now))
    for key, condition in wanted.items():
        if key not in running:
            drafts.put(Alert(new_id(), key, condition.text, now))
    for condition in moments:
        drafts.put(Alert(new_id(), condition.key, condition.text, now, now, is_momentary=True))
    drafts.tell()
    return drafts.settlement()


def after_try(known: Known, tried: Notice, now: datetime, plan: NoticePlan, new_id: NewId) -> Settlement:
    """
    What follows from *tried*, a notice after a try: the alerts it is about were told, or will not be.

    *known* has these alerts.
    """
    drafts = _Drafts(known, now, plan, new_id)
    drafts.notices.append(tried)
    if tried.outcome is not NoticeOutcome.WAITING and tried.kind in (NoticeKind.ALERT, NoticeKind.REMINDER):
        is_delivered = tried.outcome is NoticeOutcome.DELIVERED
        about = {item.alert for item in tried.items}
        for alert in known.alerts:
            telling = alert.tellings.get(tried.channel)
            if alert.id in about and telling is not None:
                drafts.put(alert.told_by(tried.channel, telling.ended(is_delivered=is_delivered)))
    drafts.tell()
    return drafts.settlement()


@define
class _Drafts:
    known: Known
    now: datetime
    plan: NoticePlan
    new_id: NewId
    changed: dict[str, Alert] = field(factory=dict)
    notices: list[Notice] = field(factory=list)

    def put(self, alert: Alert) -> None:
        self.changed[alert.id] = alert

    def settlement(self) -> Settlement:
        before = {alert.id: alert for alert in self.known.alerts}
        return Settlement(
            tuple(alert for alert in self.changed.values() if before.get(alert.id) != alert), tuple(self.notices)
        )

    def all(self) -> list[Alert]:
        return list({**{alert.id: alert for alert in self.known.alerts}, **self.changed}.values())

    def tell(self) -> None:
        """Make the notices that are due, and say when to look again."""
        self._tell_over()
        first: dict[str, list[Alert]] = {}
        again: dict[str, list[Alert]] = {}
        for alert in self.all():
            for channel, timing in self.plan.ways(alert.key).items():
                at = _due_at(alert, channel, timing)
                if at is not None and at <= self.now:
                    (again if channel in alert.tellings else first).setdefault(channel, []).append(alert)
        postponed = {id: at for channel, alerts in first.items() for id, at in self._tell_first(channel, alerts)}
        for channel, alerts in again.items():
            self._notice(channel, NoticeKind.REMINDER, alerts)
        for alert in self.all():
            times = [_due_at(alert, channel, timing) for channel, timing in self.plan.ways(alert.key).items()]
            look_at = min((max(at, postponed.get(alert.id, at)) for at in times if at is not None), default=None)
            if alert.look_at != look_at:
                self.put(evolve(alert, look_at=look_at))

    def _tell_first(self, channel: str, alerts: Sequence[Alert]) -> Iterator[tuple[str, datetime]]:
        """Yields the alerts that have to wait, and until when."""
        recent = self.known.recent.get(channel, Recent())
        if recent.single + len(alerts) <= MANY:
            for alert in alerts:
                self._notice(channel, NoticeKind.ALERT, [alert])
        elif recent.joined_at is None or self.now >= recent.joined_at + WINDOW:
            self._notice(channel, NoticeKind.ALERT, alerts)
        else:
            for alert in alerts:
                yield alert.id, recent.joined_at + WINDOW

    def _notice(self, channel: str, kind: NoticeKind, alerts: Sequence[Alert]) -> None:
        current = [self.changed.get(alert.id, alert) for alert in alerts]
        items = tuple(NoticeItem(one.id, one.key, one.text, one.began_at) for one in current)
        self.notices.append(Notice(self.new_id(), channel, kind, title_of(kind, items), self.now, self.now, items))
        for alert in current:
            before = alert.tellings.get(channel)
            was_reached = before is not None and before.was_reached
            self.put(alert.told_by(channel, Telling(self.now, was_reached=was_reached)))

    def _tell_over(self) -> None:
        over: dict[str, list[Alert]] = {}
        for alert in self.all():
            if alert.ended_at is None or alert.is_momentary:
                continue
            for channel, telling in alert.tellings.items():
                is_due = telling.was_reached and not telling.is_over_told and telling.reach is not Reach.UNDER_WAY
                if is_due and channel in self.plan.channels:
                    over.setdefault(channel, []).append(alert)
                elif is_due:  # the channel is gone
                    self._over(alert, channel)
        for channel, alerts in over.items():
            grouped: dict[object, list[Alert]] = {}
            for alert in alerts:
                key = "all" if len(alerts) > MANY else (alert.key.event, alert.key.profile)
                grouped.setdefault(key, []).append(alert)
            for some in grouped.values():
                items = tuple(NoticeItem(one.id, one.key, one.text, one.began_at) for one in some)
                title = title_of(NoticeKind.RECOVERY, items)
                self.notices.append(
                    Notice(self.new_id(), channel, NoticeKind.RECOVERY, title, self.now, self.now, items)
                )
                for alert in some:
                    self._over(alert, channel)

    def _over(self, alert: Alert, channel: str) -> None:
        current = self.changed.get(alert.id, alert)
        self.put(current.told_by(channel, evolve(current.tellings[channel], is_over_told=True)))


def _due_at(alert: Alert, channel: str, timing: TellTimes) -> datetime | None:
    """When *channel* is to be told of *alert*, for the first time or again; None if it is not."""
    telling = alert.tellings.get(channel)
    if telling is None:
        if alert.is_momentary:
            return alert.began_at
        return alert.began_at + timing.after if alert.ended_at is None else None
    if alert.ended_at is not None or timing.remind is None or telling.reach is Reach.UNDER_WAY:
        return None
    return telling.at + timing.remind


def title_of(kind: NoticeKind, items: Sequence[NoticeItem]) -> str:
    """A line that says what a notice is about."""
    about = {(item.key.event, item.key.profile) for item in items}
    if len(about) == 1:
        ((event, profile),) = about
        said = f"{profile or 'the server'}: {event.value}"
        if len(items) > 1:
            said += f" ({len(items)})"
    else:
        numbers = Counter(item.key.event for item in items)
        said = f"{counted(len(items), 'alert')}: " + ", ".join(
            f"{n} {event.value}" for event, n in numbers.most_common()
        )
    return {NoticeKind.RECOVERY: f"over: {said}", NoticeKind.REMINDER: f"still so: {said}"}.get(kind, said)
