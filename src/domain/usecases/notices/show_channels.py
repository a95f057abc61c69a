"""Showing by which channels people are told, and whether that works."""

from __future__ import annotations

from attrs import frozen

from ...notices.routes import PlanInUse
from ...ports.upkeep.notices import ChannelRecord, NoticeTable


@frozen
class ShowChannels:
    """Show the channels in use."""

    table: NoticeTable
    in_use: PlanInUse

    def __call__(self) -> tuple[tuple[str, ChannelRecord], ...]:
        """Each channel with what became of its notices, in the order in which they are stated."""
        known = self.table.channels()
        return tuple((name, known.get(name, ChannelRecord())) for name in self.in_use.plan.channels)
