"""The state of resumable uploads between two requests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Protocol

from ..uploads import Upload


def nothing() -> None:
    """For uploads that no quota concerns."""


class UploadSessions(Protocol):
    """
    The state of resumable uploads; their bytes are in the store's staging.

    When a writing method returns, its effect survives a power cut.
    """

    def save(self, upload: Upload, judge: Callable[[], None] = ...) -> None:
        """
        Save *upload*, in place of any earlier state of it.

        Before, *judge* is called, while no other server adds to the profile of *upload*; it may be called again.

        Raises:
            Whatever *judge* raises; nothing is saved then.
        """

    def get(self, id: str) -> Upload:
        """
        The upload *id*.

        Raises:
            UploadNotFound: no upload has that id.
        """

    def all(self) -> list[Upload]:
        """Every upload, oldest first."""

    def unfinished(self) -> list[Upload]:
        """Every open upload, in any order. Cost does not grow with the uploads that have ended."""

    def remove(self, id: str) -> None:
        """Forget *id*. An unknown id is no error."""


class UploadLocks(Protocol):
    """One writer per upload; an idle writer gives way to the next."""

    def hold(
        self, upload: str, patience: timedelta, when_wanted: Callable[[], None] = ...
    ) -> AbstractContextManager[None]:
        """
        Hold *upload* alone while in the context, after waiting at most *patience* for its present holder.

        *when_wanted* is called, from another thread and perhaps several times, when another caller begins to wait for
        this holder, which should then leave unless it is at work.

        Raises:
            UploadLocked: on entering, after *patience*.
        """
