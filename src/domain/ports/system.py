"""Time, fresh ids, and what the threads of this process tell each other by locks."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from ..identity.archive_id import ArchiveId
from ..retention.clock_watch import ClockNote


class Clock(Protocol):
    """The server's time."""

    def now(self) -> datetime:
        """Aware, in UTC."""

    def monotonic(self) -> timedelta:
        """The time since some fixed moment: it passes evenly, also while the machine sleeps, and is never set."""

    def wait(self, span: timedelta) -> None:
        """Return when *span* has passed."""


class ClockNotes(Protocol):
    """What is noted of the server's clock from one run to the next. One process at a time."""

    def load(self) -> ClockNote:
        """The note that was saved last; an empty one at first, one with a doubt if it cannot be understood."""

    def save(self, note: ClockNote) -> None:
        """Durably replace the note."""


class NameLocks(Protocol):
    """
    One receive at a time per identity in this process, and one caller at a time, of all servers, that changes what a
    profile holds. The holder of a profile who stood still for too long is told so by store and catalog, with TurnLost.
    """

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


class InUse(Protocol):
    """The archives that readers of this process need until they have ended; these are not removed meanwhile."""

    def hold(self, ids: Collection[ArchiveId]) -> AbstractContextManager[None]:
        """*ids* are in use while in the context; several callers may use the same."""

    def all(self) -> frozenset[ArchiveId]:
        """All archives in use now."""


class IdSource(Protocol):
    """Names never used before."""

    def new(self) -> str:
        """1 to 64 characters of ``a-z0-9-``, unique for all practical purposes."""
