"""What is kept of restore drills and rehearsals."""

from __future__ import annotations

from typing import Protocol

from ...drills.drill import Drill, DrillKind

KEPT_DRILLS = 100


class DrillTable(Protocol):
    """
    Drills and rehearsals. Each method is one transaction; when a writing one returns, its effect survives a power cut,
    and also `Catalog.replace`.

    Of each profile and kind the last 100 are kept. Times are kept to the microsecond.
    """

    def begin(self, drill: Drill) -> None:
        """Enter *drill*, which is open. Others of its profile, kind and *who* that are open are abandoned."""

    def end(self, drill: Drill) -> None:
        """
        Replace the open drill of that id by *drill*, which has ended.

        Raises:
            DrillNotFound: none is open with that id.
        """

    def find(self, id: str) -> Drill:
        """
        The drill with that id.

        Raises:
            DrillNotFound: there is none.
        """

    def recent(self, profile: str | None = None, *, kind: DrillKind | None = None, limit: int = 100) -> list[Drill]:
        """At most *limit* drills and rehearsals, or those of a *kind*, of all profiles or of one, the newest first."""

    def latest(self, kind: DrillKind, *, equal_only: bool = False) -> dict[str, Drill]:
        """Of each profile the last one of *kind* that ended, be it equal, different or failed, or that was equal."""
