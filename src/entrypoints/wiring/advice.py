"""What a notice advises."""

from __future__ import annotations

from ...domain.notices.event import Event
from ...domain.watching.light import ConcernKind
from ..remedies import remedy


def advice(event: Event, profile: str | None) -> str:
    """What to do about *event*, of *profile* or of the server, without a full stop."""
    if event is Event.UNSTABLE:
        return "test the memory, the cables and the disk of the server"
    kind = ConcernKind.CLOCK if event is Event.CLOCK_JUMPED else ConcernKind(event.value)
    return remedy(kind, profile or "")
