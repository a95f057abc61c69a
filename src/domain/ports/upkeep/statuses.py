"""What is kept about profiles, and when no server ran."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from ...watching.kept_status import KeptStatus, StatusFilter
from ...watching.light import Light
from ...watching.slots import Absence


class StatusTable(Protocol):
    """
    The last status of each profile of a catalog. Each method is one transaction; when a writing one returns, its effect
    survives a power cut, and also `Catalog.replace`. Times are kept to the microsecond.
    """

    def due(
        self, stamp: str, now: datetime, *, limit: int, profiles: frozenset[str] | None = None
    ) -> list[tuple[str, int]]:
        """
        At most *limit* profiles, of *profiles* or all, with archives whose status is missing, was worked out from
        another version of their archives or with another *stamp*, or whose `look_at` has come; each with the present
        version, by name.

        Cost: one pass over the profiles, some microseconds each.
        """

    def gone(self) -> list[str]:
        """The profiles that have a status and no archive any more, by name."""

    def keep(self, statuses: Sequence[KeptStatus]) -> None:
        """Keep *statuses*, in place of those that are kept of their profiles."""

    def forget(self, profiles: Collection[str]) -> None:
        """Forget the status of *profiles*: they are due if they have archives."""

    def all(self) -> list[KeptStatus]:
        """Every status, by profile."""

    def count_lights(self, asked: StatusFilter) -> dict[Light, int]:
        """
        How many of the statuses that are *asked* for have which light; a light that none has is missing.

        Cost: one pass over the profiles, a tenth of a microsecond each; some more if a filter states profiles or text.
        """

    def oldest_look(self, asked: StatusFilter) -> datetime | None:
        """When the oldest of the statuses that are *asked* for was worked out; None if there is none. The same cost."""

    def with_light(self, light: Light, asked: StatusFilter, *, start: int = 0, limit: int) -> list[KeptStatus]:
        """
        Of the statuses that are *asked* for and have *light* at most *limit*, by profile, after passing over *start*.

        Cost: grows with *start* and *limit*, not with the number of statuses, unless a filter states profiles or text.
        """

    def mark(self, profile: str | None = None) -> str:
        """
        A word that is another one when `all` would return something else, or when archives came, went or changed: those
        of *profile*, or any.

        Cost: one pass over the profiles, less than a microsecond each.
        """

    def absences(self) -> list[Absence]:
        """When no server ran, in order; those that ended lately."""

    def note_absence(self, absence: Absence) -> None:
        """Note that no server ran, in place of what is noted from the same moment on; keep the last 100."""
