"""Telling the operator what should not wait."""

from __future__ import annotations

from typing import Protocol

from ..identity.archive_id import ArchiveId


class Notifier(Protocol):
    """Tells the operator what they should know at once: a line in the log, or more. Never raises."""

    def damaged(self, id: ArchiveId, what: str) -> None:
        """A stored file of *id* is not as it was written. *what* begins with the file in question, in a few words."""

    def misrecorded(self, id: ArchiveId, what: str) -> None:
        """Of *id* the digest called *what* is wrong on record, its bytes are not; making the catalog anew mends it."""

    def whole(self, id: ArchiveId) -> None:
        """*id*, which was taken for damaged, is whole again."""

    def unstable(self, id: ArchiveId, what: str) -> None:
        """A stored file of *id* was wrong once, as *what* says, and right when it was read again."""

    def mended(self, id: ArchiveId, what: str) -> None:
        """A stored file of *id* was wrong, as *what* says, and was made anew."""

    def suspicious(self, id: ArchiveId, why: str) -> None:
        """*id* has arrived and is suspicious: its profile is not pruned. *why* is sentences without full stops."""

    def unjudged(self, id: ArchiveId, why: str) -> None:
        """Whether *id*, which has arrived, is suspicious could not be found out or noted."""
