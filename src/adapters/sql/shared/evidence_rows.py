"""
The evidence of several servers, in a table of their database.

::

    evidence    a row for each line, as in `domain.evidence`, with its month
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import bindparam, select

from ....domain.access.chain import line_digest
from ....domain.evidence.entry import EvidenceEntry, check_month, line_of, month_of
from ..rows import Query, Values
from ..schema import evidence
from .chained_rows import ChainedRows, ChainEnd
from .exclusion import Exclusion
from .tables import SharedTables

_AT_ONCE = 50  # a line may be long


class SqlEvidenceLog:
    """`EvidenceLog` in the database of *tables*."""

    def __init__(self, tables: SharedTables) -> None:
        self._rows = ChainedRows(tables, Exclusion.EVIDENCE, evidence)

    def append(self, entry: EvidenceEntry) -> None:
        def line_after(end: ChainEnd) -> tuple[bytes, Values]:
            line, month = line_of(entry, end.digest), max(month_of(entry.at), str(end.kept.get("month", "")))
            return line, _columns(line, month)

        self._rows.append(line_after)

    def months(self) -> list[str]:
        return [month for (month,) in self._rows.all(_MONTHS, {})]

    def read(self, month: str) -> Iterator[bytes]:
        yield from self._rows.lines(_AT_ONCE, _OF_MONTH, month=check_month(month))

    @property
    def is_empty(self) -> bool:
        """Whether there is no line."""
        return self._rows.newest_number == 0

    def take_over(self, months: Iterable[tuple[str, Iterable[bytes]]]) -> bool:
        """
        Add the lines of *months*, in their order, if the table has none; whether it has them all now, or had them
        before: then they are not needed elsewhere.
        """
        lines = ((line, _columns(line, month)) for month, of_month in months for line in of_month)
        return self._rows.take_over(lines, _HOLDS)


def _columns(line: bytes, month: str) -> Values:
    return {"month": month, "digest": line_digest(line)}


_e = evidence.c
_MONTHS = select(_e.month).group_by(_e.month).order_by(_e.month)
_HOLDS = select(_e.number).where(_e.digest == bindparam("of"))
_OF_MONTH: Query = (
    select(_e.line, _e.number)
    .where(_e.month == bindparam("month"), _e.number > bindparam("after"), _e.number <= bindparam("until"))
    .order_by(_e.number)
    .limit(bindparam("limit"))
)
