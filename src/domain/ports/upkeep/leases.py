"""Leases: what one server at a time does, of several that share a database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Protocol

from attrs import frozen


@frozen
class Renewed:
    """A lease that was renewed: its fence, and whether somebody else waits for it."""

    fence: int
    is_wanted: bool


@frozen
class Fence:
    """A lease as its holder took it: its name, and the number that it had then."""

    name: str
    fence: int


class LeaseTable(Protocol):
    """
    Who holds which lease, and until when by the clock of the table, never by that of a caller.

    A holder is a process; a lease has a name, such as ``job/prune``. Its fence is a number that grows whenever the
    lease is taken: what somebody wrote with an older one was overtaken. Each method is safe to repeat.
    """

    def take(self, name: str, holder: str, ttl: timedelta) -> int | None:
        """
        Take the lease *name* for *ttl*, unless somebody else has it: its new fence, or None.

        Its own lease a holder gets again, with a new fence. A holder who is there is noted to be wanted.
        """

    def renew(self, holder: str, ttl: timedelta) -> Mapping[str, Renewed]:
        """All leases of *holder* that have not ended, by their names; they end *ttl* from now."""

    def give_up(self, name: str, holder: str, fence: int) -> None:
        """End a lease. One that was lost is no error."""

    def held(self, names: Collection[str]) -> set[str]:
        """Which of *names* somebody holds."""


class HeldLease(Protocol):
    """A lease of this process; any thread may ask."""

    @property
    def fence(self) -> int: ...

    @property
    def is_lost(self) -> bool:
        """Whether somebody else may have it by now. Once it is true it stays true: stop at the next clean point."""

    @property
    def is_wanted(self) -> bool:
        """Whether somebody else waits for it."""


class Leases(Protocol):
    """The leases of this process, which are renewed while they are held."""

    def take(self, name: str, when_wanted: Callable[[], None] = ...) -> AbstractContextManager[HeldLease | None]:
        """
        Hold the lease *name* alone while in the context, of all threads of all processes; None if somebody else does.

        *when_wanted* is called, from another thread and perhaps several times, after somebody else asked for it.

        Raises:
            BackendUnavailable: the table cannot be reached.
        """


def lease_of_job(job: str) -> str:
    """The name of the lease under which *job* is run."""
    return f"job/{job}"
