"""What every `ArchiveSums` promises."""

from __future__ import annotations

import random
from typing import Protocol

from tarkeep.domain.archives.block_sums import BLOCK_BYTES, BlockSums
from tarkeep.domain.ports.sums import ArchiveSums

ONE, OTHER = "1" * 64, "a" * 64


class SumsDoor(Protocol):
    """Sums, and how the next process finds them."""

    @property
    def sums(self) -> ArchiveSums: ...

    def reopen(self) -> None:
        """End the process that has them and begin the next one."""

    def fill_up(self) -> None:
        """Make all further writes fail."""

    def is_clean(self) -> bool:
        """Whether no other files than the sums exist."""


def some(blocks: int, seed: int = 1) -> BlockSums:
    return BlockSums(blocks * BLOCK_BYTES - 5, random.Random(seed).randbytes(4 * blocks))


class ArchiveSumsContract:
    """A subclass gives the fixture *door*."""

    def test_what_was_put_is_there_for_everybody(self, door: SumsDoor) -> None:
        """Only for that archive, also for the next process; the last put counts."""
        assert door.sums.get(ONE) is None
        door.sums.put(ONE, some(3))
        assert door.sums.get(ONE) == some(3)
        assert door.sums.get(OTHER) is None
        door.reopen()
        assert door.sums.get(ONE) == some(3)
        door.sums.put(ONE, some(400, seed=2))
        assert door.sums.get(ONE) == some(400, seed=2)
        assert door.is_clean()

    def test_what_cannot_be_kept_is_no_error(self, door: SumsDoor) -> None:
        """Storing an archive must not fail because of it."""
        door.fill_up()
        door.sums.put(ONE, some(3))

        assert door.sums.get(ONE) in (None, some(3))
        assert door.is_clean()
