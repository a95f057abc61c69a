"""Space of no medium."""

from __future__ import annotations

from attrs import define


@define
class MemoryBallast:
    """`Ballast` for a store in memory; *has_room* is whether it can be set aside."""

    has_room: bool = True
    is_set_aside: bool = False

    def keep(self) -> bool:
        self.is_set_aside = self.is_set_aside or self.has_room
        return self.is_set_aside

    def give_up(self) -> bool:
        was, self.is_set_aside = self.is_set_aside, False
        return was
