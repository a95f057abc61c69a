"""A channel that ends in this process."""

from __future__ import annotations

from attrs import define, field

from ....domain.errors.notices import NotDelivered
from ....domain.notices.message import Message


@define(eq=False)
class MemoryChannel:
    """`Channel` that keeps what it is sent; with a *refusal*, it takes nothing."""

    taken: list[Message] = field(factory=list)
    refusal: str = ""

    def deliver(self, message: Message) -> None:
        if self.refusal:
            raise NotDelivered(self.refusal)
        self.taken.append(message)
