"""What is kept of how many bytes were used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from ...watching.used import UsedOnDay


class UsageTable(Protocol):
    """
    How many bytes were used on each day, for as long as the catalog exists. Each method is one transaction; what was
    kept survives a power cut, and also `Catalog.replace`.
    """

    def keep(self, days: Sequence[UsedOnDay]) -> None:
        """Keep *days*; what was kept of one of these days is replaced. May raise `CatalogBusy`."""

    def days(self, first: date, last: date) -> list[UsedOnDay]:
        """The days from *first* to *last*, both included, of which something is kept, in order."""
