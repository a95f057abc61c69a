"""Showing by which channels people are told, and whether that works."""

from __future__ import annotations

from attrs import frozen

from ...notices.routes import PlanInUse
from ...ports.upkeep.notices import ChannelRecord, NoticeTable


@frozen
class ShownChannels:
    """
    The channels by name, each with what became of its notices; *are_missing*: there is none, though nobody decided
    that nobody is to be told.
    """

    channels: tuple[tuple[str, ChannelRecord], ...]
    are_missing: bool


@frozen
class ShowChannels:
    """Show the channels in use."""

    table: NoticeTable
    in_use: PlanInUse

    def __call__(self) -> ShownChannels:
        """All of them, in the order in which they are stated."""
        known, plan = self.table.channels(), self.in_use.plan
        shown = tuple((name, known.get(name, ChannelRecord())) for name in plan.channels)
        return ShownChannels(shown, plan.lacks_channel)
