"""
An alert: something that a person is to be told, from when it began until everybody who was told knows that it is over.

The rule: an alert is *told* when a notice of it was delivered, not before; and that it is over goes to those whom it
had reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum

from attrs import evolve, field, frozen

from .event import AlertKey


class AlertState(Enum):
    """How far an alert has come."""

    OPEN = "open"  # nobody was reached yet
    TOLD = "told"
    RECOVERED = "recovered"


class Reach(Enum):
    """What became of telling one channel of an alert."""

    UNDER_WAY = "under-way"
    DELIVERED = "delivered"
    GIVEN_UP = "given-up"


@frozen
class Telling:
    """
    One channel and one alert: what became of the last notice, which was made *at* that time.

    *was_reached*: some notice was delivered. *is_over_told*: the notice that it is over was made.
    """

    at: datetime
    reach: Reach = Reach.UNDER_WAY
    was_reached: bool = False
    is_over_told: bool = False

    def ended(self, *, is_delivered: bool) -> Telling:
        """What it is once the notice was delivered, or given up."""
        reach = Reach.DELIVERED if is_delivered else Reach.GIVEN_UP
        return evolve(self, reach=reach, was_reached=self.was_reached or is_delivered)


@frozen
class Alert:
    """
    What *key* says began *began_at*, as *text* says, and was over *ended_at*, None while it lasts.

    *tellings* has one entry for each channel that has been, or is being, told. A *momentary* one only happened: it is
    never said to be over. *look_at*: when something is to be done about it by itself, None if nothing is.
    """

    id: str
    key: AlertKey
    text: str
    began_at: datetime
    ended_at: datetime | None = None
    is_momentary: bool = False
    tellings: Mapping[str, Telling] = field(factory=dict)
    look_at: datetime | None = None

    @property
    def state(self) -> AlertState:
        if self.ended_at is not None:
            return AlertState.RECOVERED
        return AlertState.TOLD if any(one.was_reached for one in self.tellings.values()) else AlertState.OPEN

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to be done about it."""
        if self.ended_at is None or self.look_at is not None:
            return False
        return all(
            one.reach is not Reach.UNDER_WAY and (self.is_momentary or one.is_over_told or not one.was_reached)
            for one in self.tellings.values()
        )

    def told_by(self, channel: str, telling: Telling) -> Alert:
        """The alert with *telling* for *channel*."""
        return evolve(self, tellings={**self.tellings, channel: telling})
