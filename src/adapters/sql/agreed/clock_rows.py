"""
The note on the clocks of several servers, in a table of their database.

The rule: it is one note for all. A doubt about one server's clock keeps every server from removing anything, until
somebody accepts the clock.
"""

from __future__ import annotations

from attrs import frozen
from sqlalchemy import select, update

from ....domain.retention.clock_watch import ClockNote
from ...clock_records import note_of, text_of
from ..schema import clock_note
from ..shared.tables import SharedTables
from ..statements import Transaction


@frozen
class SqlClockNotes:
    """`ClockNotes` in the database of *tables*."""

    tables: SharedTables

    def load(self) -> ClockNote:
        return next((note_of(told) for (told,) in self.tables.all(_LOAD, {})), ClockNote())

    def save(self, note: ClockNote) -> None:
        self.tables.write(lambda transaction: _save(transaction, note))

    def take_over(self, note: ClockNote) -> None:
        """Save *note*, of one server alone, if there is none yet; a doubt in it counts in any case."""

        def enter(transaction: Transaction) -> None:
            if note.doubt or not transaction.rows(_LOAD, {}):
                _save(transaction, note)

        self.tables.write(enter)


def _save(transaction: Transaction, note: ClockNote) -> None:
    told = text_of(note)
    if transaction.run(_CHANGE, {"told": told}) == 0:
        transaction.run(_FIRST, {"number": 1, "told": told})


_LOAD = select(clock_note.c.told)
_CHANGE = update(clock_note)
_FIRST = clock_note.insert().inline()
