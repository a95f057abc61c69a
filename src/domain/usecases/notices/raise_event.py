"""
Raising an event where it happens, for what does not follow from looking at a profile or the server.

The alert and the notices of it are made in one transaction; the notices are delivered later, by a job.
"""

from __future__ import annotations

from functools import partial

from attrs import frozen

from ...notices.event import AlertKey, Condition, Event
from ...notices.routes import PlanInUse
from ...notices.settling import settle
from ...ports.system import Clock, IdSource
from ...ports.upkeep.notices import NoticeTable


@frozen
class RaiseEvent:
    """Say that something is so from now on, until it is said to be over; or that it happened."""

    notices: NoticeTable
    clock: Clock
    ids: IdSource
    in_use: PlanInUse

    def __call__(
        self, event: Event, profile: str | None, subject: str, text: str, *, is_momentary: bool = False
    ) -> None:
        """
        Open the alert of *event*, *profile* (None: the server) and *subject*; *text* is a sentence without full stop.

        An alert that is open already only gets the text. One that *is_momentary* is never over, and is told each time.
        """
        condition = Condition(AlertKey(event, profile, subject), text)
        now = self.clock.now()
        decide = partial(
            settle,
            conditions=() if is_momentary else (condition,),
            ends=lambda _key: False,
            now=now,
            plan=self.in_use.plan,
            new_id=self.ids.new,
            moments=(condition,) if is_momentary else (),
        )
        self.notices.update((profile,), now, decide)


@frozen
class EndEvent:
    """Say that what was raised is over."""

    notices: NoticeTable
    clock: Clock
    ids: IdSource
    in_use: PlanInUse

    def __call__(self, event: Event, profile: str | None, subject: str) -> None:
        """End the alert of *event*, *profile* and *subject*, if it is open; it is told to those whom it had reached."""
        key, now = AlertKey(event, profile, subject), self.clock.now()
        decide = partial(
            settle,
            conditions=(),
            ends=lambda found: found == key,
            now=now,
            plan=self.in_use.plan,
            new_id=self.ids.new,
        )
        self.notices.update((profile,), now, decide)
