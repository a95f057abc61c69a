"""A notice: what is sent to one channel, about one alert or several, and the tries to do so."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from attrs import evolve, frozen

from .event import AlertKey

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=6)
GIVEN_UP_AFTER = timedelta(days=3)


class NoticeKind(Enum):
    """Why a notice is sent."""

    ALERT = "alert"
    REMINDER = "reminder"
    RECOVERY = "recovery"
    DIGEST = "digest"
    TEST = "test"


class NoticeOutcome(Enum):
    """What became of a notice."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


@frozen
class NoticeItem:
    """One alert that a notice is about, as it was when the notice was made."""

    alert: str
    key: AlertKey
    text: str
    began_at: datetime


@frozen
class Notice:
    """
    What is sent to *channel*; receivers may tell by *id* that they have it already.

    *text* is the whole message where there are no *items*. *tries* were made in vain, the last failed with *error*; the
    next is due *next_at*.
    """

    id: str
    channel: str
    kind: NoticeKind
    title: str
    created_at: datetime
    next_at: datetime
    items: tuple[NoticeItem, ...] = ()
    text: str = ""
    tries: int = 0
    outcome: NoticeOutcome = NoticeOutcome.WAITING
    ended_at: datetime | None = None
    error: str = ""

    def delivered(self, now: datetime) -> Notice:
        """The notice once it was delivered."""
        return evolve(self, outcome=NoticeOutcome.DELIVERED, ended_at=now, error="")

    def failed(self, error: str, now: datetime) -> Notice:
        """The notice after one more try that failed *now*: it is tried again for three days, ever more rarely."""
        failed = evolve(self, tries=self.tries + 1, error=error)
        if now - self.created_at >= GIVEN_UP_AFTER:
            return evolve(failed, outcome=NoticeOutcome.UNDELIVERED, ended_at=now)
        return evolve(failed, next_at=now + pause(failed.tries))


def pause(tries: int) -> timedelta:
    """How long to wait after so many tries in vain."""
    return min(FIRST_PAUSE * (1 << min(tries - 1, 20)), LONGEST_PAUSE)
