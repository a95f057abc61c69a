"""Showing the evidence of a month as it is, and checking all of it."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from ...errors.access import EvidenceNotFound
from ...evidence.entry import EvidenceReport, checked
from ...ports.upkeep.evidence import EvidenceLog


@frozen
class ShowEvidence:
    """Show the lines of a month."""

    evidence: EvidenceLog

    def __call__(self, month: str) -> Iterator[bytes]:
        """
        The lines of *month*, each without its newline, as far as they are written now.

        Raises:
            EvidenceNotFound: the month has none.
            ValueError: *month* is none.
            BackendUnavailable: they cannot be read.
        """
        lines = self.evidence.read(month)
        first = next(lines, None)
        if first is None:
            raise EvidenceNotFound(month, tuple(self.evidence.months()))
        return _from(first, lines)


def _from(first: bytes, lines: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from lines


@frozen
class CheckEvidence:
    """Check that no line of the evidence was changed, removed or inserted since the one after it was written."""

    evidence: EvidenceLog

    def __call__(self, noted: str | None = None) -> EvidenceReport:
        """
        What the check shows; and whether a line has the digest *noted*.

        Raises:
            BackendUnavailable: the lines cannot be read.
        """
        return checked(((month, self.evidence.read(month)) for month in self.evidence.months()), noted)
