"""What is kept of the days on which archives came."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Protocol

from ...watching.arrived import ArrivedOnDay


class ArrivalTable(Protocol):
    """
    How many archives came on each day, by the times at which they were received.

    The catalog counts an archive in the transaction in which it becomes an entry, and never takes it back: what was
    pruned, purged and forgotten came all the same. `Catalog.replace` raises what is less than its archives show, and
    lowers nothing. Bytes that come again after they were purged count again, on the day on which they came first.
    """

    def days(self, first: date, last: date, *, profile: str | None = None) -> list[ArrivedOnDay]:
        """
        The days from *first* to *last*, both included, on which something came to *profile*, or to any; ordered by
        profile, day and type, as text.

        Cost: grows with what is returned.
        """

    def came_to(self, profiles: Collection[str], first: date, last: date) -> dict[str, dict[date, bool]]:
        """
        For each of *profiles* the days from *first* to *last*, both included, on which something came to it, and
        whether a FULL did; a profile to which nothing came is missing.

        Cost: a microsecond for each profile and day.
        """

    def sizes(self, profiles: Collection[str], first: date, last: date) -> dict[str, int]:
        """
        How many bytes came to each of *profiles* from *first* to *last*, both included; a profile to which nothing came
        is missing.

        Cost: half a microsecond for each profile and day on which something came to it.
        """
