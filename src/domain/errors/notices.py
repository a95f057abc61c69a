"""Notices that do not reach anybody."""

from __future__ import annotations

from attrs import define

from ..tarkeep_error import TarkeepError
from ..text.counted import listed


@define
class NotDelivered(TarkeepError):
    """A notice did not get through a channel. *reason* says why, without secrets."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@define
class ChannelNotFound(TarkeepError):
    """There is no channel of that name."""

    name: str
    known: tuple[str, ...]

    def __str__(self) -> str:
        there = (
            f"there {'is' if len(self.known) == 1 else 'are'} {listed(self.known)}" if self.known else "there is none"
        )
        return f"there is no channel {self.name}; {there}"
