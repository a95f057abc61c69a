"""
Names that one server at a time changes, of several that share leases.

The rule: whoever changes something under a lease looks at it right before each request and in each transaction. So a
server that stood still while another one took its lease over changes nothing any more when it goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from zlib import crc32

from attrs import define, field

from ....domain.errors.capacity import TurnLost
from ....domain.identity.archive_id import ArchiveId
from ....domain.ports.system import NameLocks
from ....domain.ports.upkeep.leases import Fence, HeldLease, Leases

_TURNS = 1024
"""How many leases all archives share: a lease leaves a row for ever, and two archives that share one only wait."""

_FIRST_POLL, _LAST_POLL = 0.005, 0.5


class _HeldHere(threading.local):
    """The leases that the thread holds, by name, in the order in which it took them."""

    def __init__(self) -> None:
        self.leases: dict[str, HeldLease] = {}


@define(eq=False)
class LeasedNames:
    """
    `NameLocks` among all servers that share *leases*; *here* queues the threads of this process.

    A profile is held alone among all servers. An identity is held in this process: among servers a receive claims it in
    the catalog. `alone_at` is for what changes an archive that is there.
    """

    here: NameLocks
    leases: Leases
    _held: _HeldHere = field(factory=_HeldHere, init=False)

    @contextmanager
    def hold(self, id: ArchiveId, patience: timedelta) -> Iterator[None]:
        with self.here.hold(id, patience):
            yield

    @contextmanager
    def hold_profile(self, profile: str) -> Iterator[None]:
        with self.here.hold_profile(profile), self._alone(f"profile/{profile}"):
            yield

    @contextmanager
    def alone_at(self, id: ArchiveId) -> Iterator[None]:
        """Change what lies under the name of *id* alone while in the context; other callers wait without limit."""
        with self._alone(f"archive/{crc32(str(id).encode()) % _TURNS}"):
            yield

    def check(self) -> None:
        """Raises TurnLost: somebody else may have a lease that this thread took."""
        if any(held.is_lost for held in self._held.leases.values()):
            raise TurnLost

    def fences(self) -> tuple[Fence, ...]:
        """The leases that this thread took, for a transaction that looks whether they still run."""
        return tuple(Fence(name, held.fence) for name, held in self._held.leases.items())

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        pause, waiting = _FIRST_POLL, threading.Event()
        while True:
            with self.leases.take(name) as held:
                if held is not None:
                    self._held.leases[name] = held
                    try:
                        yield
                    finally:
                        del self._held.leases[name]
                    return
            waiting.wait(pause)
            pause = min(2 * pause, _LAST_POLL)
