"""How much of what is stored was found right of late, and what is damaged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from attrs import frozen

from ...ports.system import Clock
from ...ports.upkeep.figures import Figures
from ...ports.upkeep.scrubs import ScrubTable
from ...scrubbing.unread import ScrubEvery


@frozen
class ScrubState:
    """
    Of *archives* that are not damaged, *right* were found right, or received, within *every*. *oldest* is since when
    all of them are known to be right, None without any. *damaged* has the profiles with damage, and how many archives.
    """

    archives: int
    right: int
    every: str
    oldest: datetime | None
    damaged: tuple[tuple[str, int], ...]


@frozen
class ReadScrubs:
    """Sum up what is known of stored bytes."""

    figures: Figures
    table: ScrubTable
    clock: Clock
    every: ScrubEvery

    def __call__(self, sees: Callable[[str], bool]) -> ScrubState:
        """
        The sums of the profiles that the caller *sees*.

        Cost: a few passes over the entries of the catalog.

        Raises:
            BackendUnavailable: the catalog cannot be read.
        """
        seen = [one for one in self.figures.of_profiles() if sees(one.profile)]
        unread = self.table.unread_since(self.every.due_before(self.clock.now()))
        archives = sum(one.archives - one.damaged for one in seen)
        return ScrubState(
            archives,
            max(archives - sum(unread.get(one.profile, 0) for one in seen), 0),
            self.every.span.words,
            min((one.known_right_at for one in seen if one.known_right_at is not None), default=None),
            tuple((one.profile, one.damaged) for one in seen if one.damaged),
        )
