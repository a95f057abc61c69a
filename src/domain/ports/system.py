"""Time, fresh ids, and locks within this process."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from ..identity.archive_id import ArchiveId


class Clock(Protocol):
    """The server's time."""

    def now(self) -> datetime:
        """Aware, in UTC."""


class NameLocks(Protocol):
    """One receive at a time per identity, and one caller at a time that counts what a profile holds."""

    def hold(self, id: ArchiveId, patience: timedelta) -> AbstractContextManager[None]:
        """
        Hold *id* alone while in the context. A second caller waits at most *patience*.

        Raises:
            ReceiveInProgress: on entering, after *patience*.
        """

    def hold_profile(self, profile: str) -> AbstractContextManager[None]:
        """
        Hold *profile* alone while in the context, whatever identities in it are held; other callers wait without limit.

        The holder of a profile must not enter any other context of these locks.
        """


class Turns(Protocol):
    """Work that several callers may request at the same time and that only one of them needs to do."""

    def take(self, what: str, patience: timedelta | None = None) -> AbstractContextManager[None]:
        """
        Be the only caller at *what* while in the context; a second caller waits, then checks whether the work is done.

        A caller that has a turn must take no other of the same kind.

        Raises:
            CatalogBusy: on entering, after *patience*; never if that is None.
        """


class IdSource(Protocol):
    """Names never used before."""

    def new(self) -> str:
        """1 to 64 characters of ``a-z0-9-``, unique for all practical purposes."""
