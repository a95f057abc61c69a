"""What was proven, for whoever asks later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ...evidence.entry import EvidenceEntry


class EvidenceLog(Protocol):
    """
    The evidence of one server, month by month, chained from its first line on. Any number of threads.

    A month is that of a line's time in UTC. After the clock was set back, lines still go into the newest month.
    """

    def append(self, entry: EvidenceEntry) -> None:
        """
        Add *entry*, chained to the newest line. When this returns, it survives a power cut.

        Raises:
            InsufficientStorage, ReadOnly, BackendUnavailable: it could not be added, or not surely.
        """

    def months(self) -> list[str]:
        """The months that have lines, such as ``2026-11``, in order."""

    def read(self, month: str) -> Iterator[bytes]:
        """
        The lines of *month* as they are, each without its newline, as far as they are written now; none if it has none.

        Raises:
            BackendUnavailable: they cannot be read.
        """
