"""Somebody who is told of what should not wait."""

from __future__ import annotations

from typing import Protocol

from ..identity.archive_id import ArchiveId


class Notifier(Protocol):
    """Tells whoever runs the server what they should know at once: a line in the log, or more. Never raises."""

    def damaged(self, id: ArchiveId, what: str) -> None:
        """Something that is kept of *id* is not what it was. *what* begins with what it is, in a few words."""

    def whole(self, id: ArchiveId) -> None:
        """*id*, which was taken for damaged, is what it was."""
