"""The sums of the SQL catalog, which every change of an entry changes in its transaction."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from sqlalchemy.dialects import postgresql, sqlite

from .rows import Values
from .schema import EVERYBODY, totals
from .statements import Transaction


@define(eq=False)
class SqlCounts:
    """The table `totals`, of profiles and of everybody."""

    _dialect: str
    _add: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        counted = (sqlite.insert if self._dialect == "sqlite" else postgresql.insert)(totals).inline()
        self._add = counted.on_conflict_do_update(
            index_elements=[totals.c.profile, totals.c.type],
            set_={
                totals.c.archives: totals.c.archives + counted.excluded.archives,
                totals.c.size_bytes: totals.c.size_bytes + counted.excluded.size_bytes,
            },
        )

    def count(self, transaction: Transaction, profile: str, type: str, count: int, size_bytes: int) -> None:
        """Add *count* archives with *size_bytes* altogether; both may be negative."""
        rows: list[Values] = [
            {"profile": whose, "type": type, "archives": count, "size_bytes": size_bytes}
            for whose in (profile, EVERYBODY)
        ]
        transaction.run_each(self._add, rows)
