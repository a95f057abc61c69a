"""What is measured of a server: figures of its profiles, and counts of what it did since it started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ...watching.figures import ProfileFigures


class Figures(Protocol):
    """Figures of profiles, from the catalog alone."""

    def of_profiles(self) -> list[ProfileFigures]:
        """
        The figures of each profile that has an archive, in the order of their names. Trashed entries and claims do not
        count. What is noted of a scrub counts as for `ScrubTable`, and a standing as it is kept: an archive whose
        standing is still to be worked out is not known to restore.

        Cost: a few queries, which pass over the entries once.
        """

    def unsettled(self, limit: int) -> list[str]:
        """At most *limit* profiles that have archives whose links or standings are still to be worked out."""


class Tally(Protocol):
    """Counts of what this process did since it started. Any number of threads."""

    def received(self, outcome: str) -> None:
        """Count an archive that was sent, by what became of it."""

    def read(self, size_bytes: int) -> None:
        """Add to the bytes of stored archives that were read."""

    def uploads(self) -> Mapping[str, int]:
        """How many archives were sent, by what became of them; an outcome that never came is missing."""

    def read_bytes(self) -> int:
        """The bytes of stored archives that were read."""
