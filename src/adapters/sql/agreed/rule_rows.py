"""
The file with the rules of profiles, as several servers have it from their database.

::

    rules    a row for each file that was ever set; the newest counts
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from attrs import frozen
from sqlalchemy import select

from ..rows import microseconds
from ..schema import rules
from ..shared.tables import SharedTables
from ..statements import Transaction


@frozen
class KeptRules:
    """The *text* of a file of rules, TOML, with its *number*: the first that was set is 1."""

    number: int
    text: str

    @property
    def sha256(self) -> str:
        """The digest of the text in UTF-8, in lower-case hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@frozen
class SqlRuleTexts:
    """The rules in the database of *tables*, as text: what they mean is nothing that a database knows."""

    tables: SharedTables

    def newest(self) -> KeptRules | None:
        """The file that counts; None if none was ever set. Raises the domain's errors."""
        return next((KeptRules(number, text) for number, text in self.tables.all(_NEWEST, {})), None)

    def newest_number(self) -> int:
        """The number of the file that counts, 0 without one."""
        return next((int(number) for (number,) in self.tables.all(_NUMBER, {})), 0)

    def set(self, text: str, at: datetime) -> KeptRules:
        """Let *text* count from *at* on, in every server; nothing is written if it counts already."""

        def enter(transaction: Transaction) -> KeptRules:
            found = transaction.rows(_NEWEST, {})
            if found and found[0][1] == text:
                return KeptRules(*found[0])
            kept = KeptRules(found[0][0] + 1 if found else 1, text)
            transaction.run(_ADD, {"number": kept.number, "text": text, "set_us": microseconds(at)})
            return kept

        return self.tables.write(enter)


_r = rules.c
_NEWEST = select(_r.number, _r.text).order_by(_r.number.desc()).limit(1)
_NUMBER = select(_r.number).order_by(_r.number.desc()).limit(1)
_ADD = rules.insert().inline()
