"""What is kept of alerts and notices, and the channels by which notices leave."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol, TypeAlias

from attrs import frozen

from ...notices.alert import Alert
from ...notices.message import Message
from ...notices.notice import Notice, NoticeKind
from ...notices.settling import Known, Settlement

Decide: TypeAlias = Callable[[Known], Settlement]

KEPT_NOTICE_DAYS = 35
"""Notices that were delivered or given up are kept so long, alerts that are settled too."""


@frozen
class ChannelRecord:
    """
    The newest notice of a channel that was delivered, and that was given up; how many are *waiting*, and the oldest of
    these that was tried in vain.
    """

    delivered: Notice | None = None
    given_up: Notice | None = None
    waiting: int = 0
    in_vain: Notice | None = None

    @property
    def is_failing(self) -> bool:
        """Whether a notice was given up, and none was delivered since."""
        if self.given_up is None or self.given_up.ended_at is None:
            return False
        after = None if self.delivered is None else self.delivered.ended_at
        return after is None or after < self.given_up.ended_at


class NoticeTable(Protocol):
    """
    Alerts and notices. Each method is one transaction; when a writing one returns, its effect survives a power cut, and
    also `Catalog.replace`. Times are kept to the microsecond. Every writing method may raise `CatalogBusy`.
    """

    def update(self, profiles: Collection[str | None], now: datetime, decide: Decide) -> Settlement:
        """
        Have *decide* say what changes, and make that change, with nothing happening in between.

        *decide* gets the alerts that are not settled and concern one of *profiles* (None: the server), or whose
        `look_at` has come; and what each channel was told of in the last `settling.WINDOW`. It may run twice. Returns
        what it said.
        """

    def update_told(self, alerts: Collection[str], now: datetime, decide: Decide) -> Settlement:
        """The same for the alerts with these ids, settled or not."""

    def due(self, now: datetime, *, limit: int) -> list[Notice]:
        """At most *limit* notices that wait and whose time has come, the oldest first."""

    def running(self, profiles: Collection[str | None] | None = None) -> list[Alert]:
        """The alerts that are not over, of *profiles* or all, the oldest first."""

    def channels(self) -> dict[str, ChannelRecord]:
        """What became of the notices of each channel that has some; tests do not count."""

    def newest(self, kind: NoticeKind) -> dict[str, Notice]:
        """The newest notice of that kind of each channel that has one."""

    def drop_old(self, before: datetime) -> None:
        """
        Forget settled alerts that were over before that time, and notices that ended before it; but not the newest of a
        channel with each outcome, nor the newest of each kind.
        """


class Channel(Protocol):
    """A way by which notices reach people. One thread at a time."""

    def deliver(self, message: Message) -> None:
        """
        Deliver *message*; when this returns, whoever runs the other end has taken it.

        Raises:
            NotDelivered: it was not taken, or not surely.
        """
