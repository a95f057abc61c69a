"""Which alerts go to which channels, when, and how often again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from fnmatch import fnmatchcase

from attrs import define, frozen

from ..profiles.schedule import Schedule
from .event import AlertKey, Event


@frozen
class Route:
    """
    Alerts of *events* that concern a profile of *profiles*, shell patterns, go to *channels*.

    An alert about the server itself goes wherever *profiles* has a pattern that matches everything. It is told once it
    has lasted *after*, and while it lasts again every *remind*; None: once.
    """

    channels: tuple[str, ...]
    events: frozenset[Event] = frozenset(Event)
    profiles: tuple[str, ...] = ("*",)
    after: timedelta = timedelta()
    remind: timedelta | None = None

    def takes(self, key: AlertKey) -> bool:
        """Whether alerts with *key* go this way."""
        if key.event not in self.events:
            return False
        if key.profile is None:
            return "*" in self.profiles
        return any(fnmatchcase(key.profile, pattern) for pattern in self.profiles)


@frozen
class TellTimes:
    """How long an alert lasts before a channel is told, and how often it is told again; None: not again."""

    after: timedelta
    remind: timedelta | None


@frozen
class Digest:
    """A summary goes to *channels* at the times of *at*, also when there is nothing to tell."""

    channels: tuple[str, ...]
    at: Schedule


@frozen
class NoticePlan:
    """
    Everything about who is told: the names of all *channels*, the *routes*, the *digest* if one is wanted. *is_silent*:
    somebody decided that nobody is to be told.
    """

    channels: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    digest: Digest | None = None
    is_silent: bool = False

    @property
    def lacks_channel(self) -> bool:
        """Whether nobody is told, though nobody decided that."""
        return not self.channels and not self.is_silent

    def ways(self, key: AlertKey) -> Mapping[str, TellTimes]:
        """The channels that are told of alerts with *key*. Of several routes to one channel the sooner one counts."""
        found: dict[str, TellTimes] = {}
        for route in self.routes:
            if not route.takes(key):
                continue
            for channel in route.channels:
                if channel in found:
                    before = found[channel]
                    reminds = [each for each in (before.remind, route.remind) if each is not None]
                    found[channel] = TellTimes(min(before.after, route.after), min(reminds, default=None))
                else:
                    found[channel] = TellTimes(route.after, route.remind)
        return {name: timing for name, timing in found.items() if not self._is_about(name, key)}

    @staticmethod
    def _is_about(channel: str, key: AlertKey) -> bool:
        """A channel that reaches nobody is not told so."""
        return key.event is Event.UNDELIVERED and key.subject == channel


NOBODY = NoticePlan()
"""No channel: nobody is told."""

SILENT = NoticePlan(is_silent=True)
"""Nobody is told, and that is how it is to be."""


@define(eq=False)
class PlanInUse:
    """The plan that counts now; it may be replaced while in use."""

    plan: NoticePlan = NOBODY
