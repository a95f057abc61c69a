"""Enums whose members are stated from best to worst, or from short to long."""

from __future__ import annotations

from enum import Enum


class Ranked(Enum):
    """An enum whose order counts: *rank* is 0 for the member that is stated first, and grows."""

    rank: int

    def __init__(self, _value: object) -> None:
        self.rank = len(type(self).__members__)  # those before it
