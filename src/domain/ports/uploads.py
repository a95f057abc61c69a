"""What is known of resumable uploads between two requests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Protocol

from ..uploads import Upload


class UploadSessions(Protocol):
    """
    What is known of resumable uploads, whose bytes are in the store's staging.

    When a writing method returns, its effect survives a power cut.
    """

    def save(self, upload: Upload) -> None:
        """Enter *upload*, or take it as the new state of the one with its id."""

    def get(self, id: str) -> Upload:
        """
        The upload *id*.

        Raises:
            UploadNotFound: no upload has that id.
        """

    def all(self) -> list[Upload]:
        """Every upload, oldest first."""

    def unfinished(self) -> list[Upload]:
        """Every upload that is open, in any order. Cost does not grow with those that are not."""

    def remove(self, id: str) -> None:
        """Forget *id*. Nothing there is no error."""


class UploadLocks(Protocol):
    """One writer per upload, who lets go when somebody else wants it."""

    def hold(
        self, upload: str, patience: timedelta, when_wanted: Callable[[], None] = ...
    ) -> AbstractContextManager[None]:
        """
        Hold *upload* alone while in the context, waiting at most *patience* for the one who has it.

        *when_wanted* is called, from another thread and perhaps several times, when somebody begins to wait for this
        holder, who should then leave unless it is at work.

        Raises:
            UploadLocked: on entering, after *patience*.
        """
