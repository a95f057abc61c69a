"""
What a signature is put under: a short text about one month of evidence, which fixes each of its lines.

The rule: it can be checked with a text editor, `openssl` and `grep` alone. So its last line is what ``openssl dgst
-sha256 -r`` prints of the file.
"""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from ..text.times import rfc3339
from .entry import EvidencePlace, MonthInChain, month_of


@frozen
class Statement:
    """
    What is stated about *month*, whose lines are in the file *name*: *broken* is the first line of the whole log that
    does not follow the one before it. *signed_by* is the SHA-256 of the public key, empty if nothing is signed.
    """

    month: MonthInChain
    name: str
    made_at: datetime
    broken: EvidencePlace | None = None
    signed_by: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the month was over when this was stated; else more lines may follow."""
        return month_of(self.made_at) > self.month.month

    def __str__(self) -> str:
        month = self.month
        told = [
            "Evidence of a Tarkeep server",
            f"month: {month.month}" + ("" if self.is_over else ", which is not over: more lines may follow"),
            f"lines: {month.lines}" + (f", of which {month.torn} cut by a crash" if month.torn else ""),
            f"SHA-256 of the line before the first: {month.follows}",
            f"SHA-256 of the first line: {month.first}",
            f"SHA-256 of the last line: {month.last}",
            "chain: " + ("whole" if self.broken is None else f"broken at {self.broken}"),
            f"stated at: {rfc3339(self.made_at)}",
        ]
        if self.signed_by:
            told.append(f"SHA-256 of the public key: {self.signed_by}")
        return "\n".join([*told, f"{month.sha256} *{self.name}", ""])
