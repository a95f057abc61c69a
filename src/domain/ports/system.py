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
    """One receive at a time per identity, and one at a time that counts what a profile holds."""

    def hold(self, id: ArchiveId, patience: timedelta) -> AbstractContextManager[None]:
        """
        Hold *id* alone while in the context. Whoever comes second waits at most *patience*.

        Raises:
            ReceiveInProgress: on entering, after *patience*.
        """

    def hold_profile(self, profile: str) -> AbstractContextManager[None]:
        """
        Hold *profile* alone while in the context, whoever holds identities in it; others wait as long as it takes.

        Who holds a profile must not enter any other context of these locks.
        """


class Turns(Protocol):
    """Work that several may ask for at the same time and that only one needs to do."""

    def take(self, what: str, patience: timedelta | None = None) -> AbstractContextManager[None]:
        """
        Be the only one at *what* while in the context; who comes second waits, and looks then whether it is done.

        Who has a turn takes no other of the same kind.

        Raises:
            CatalogBusy: on entering, after *patience*; never where that is None.
        """


class IdSource(Protocol):
    """Names nobody used before."""

    def new(self) -> str:
        """1 to 64 characters of ``a-z0-9-``, unique for all practical purposes."""
