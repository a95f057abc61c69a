"""What every `Ballast` promises."""

from __future__ import annotations

from typing import Protocol

from tarkeep.domain.ports.store import Ballast


class BallastDoor(Protocol):
    """A ballast, and how full its medium is."""

    @property
    def ballast(self) -> Ballast: ...

    def is_set_aside(self) -> bool:
        """Whether the medium has less room than without it."""

    def fill_up(self) -> None:
        """Leave no room for it."""


class BallastContract:
    """A subclass gives the fixture *door*: a medium with room, and no ballast yet."""

    def test_space_is_set_aside_and_given_up_once(self, door: BallastDoor) -> None:
        assert not door.ballast.give_up()

        assert door.ballast.keep()
        assert door.ballast.keep()
        assert door.is_set_aside()

        assert door.ballast.give_up()
        assert not door.is_set_aside()
        assert not door.ballast.give_up()

    def test_what_was_given_up_is_set_aside_again(self, door: BallastDoor) -> None:
        door.ballast.keep()
        door.ballast.give_up()

        assert door.ballast.keep()
        assert door.is_set_aside()

    def test_a_full_medium_is_not_filled_further(self, door: BallastDoor) -> None:
        """Neither at first nor where it was given up; what is set aside stays."""
        door.ballast.keep()
        door.fill_up()
        assert door.ballast.keep()

        door.ballast.give_up()

        assert not door.ballast.keep()
        assert not door.is_set_aside()
