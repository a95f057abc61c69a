"""
Whose turn it is to change what lies under the name of an archive.

The rule: one thread of this process at a time, and, where servers share the bucket, one of them; and each request that
changes something asks first whether it still is the turn of its thread. Publishing alone needs no turn among servers:
its request fails if another one was first.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from attrs import define, field

from ....domain.identity.archive_id import ArchiveId

_LOCKS = 64


class TurnsAmongServers(Protocol):
    """Turns of one server after the other."""

    def alone_at(self, id: ArchiveId) -> AbstractContextManager[None]:
        """Be alone at the name of *id* while in the context; others wait."""

    def check(self) -> None:
        """Raises TurnLost: another server may have the turn of this thread."""


@define(eq=False)
class NameTurns:
    """Turns in this process, and *among* servers; None where no other server uses the bucket."""

    among: TurnsAmongServers | None = None
    _here: tuple[threading.RLock, ...] = field(
        factory=lambda: tuple(threading.RLock() for _ in range(_LOCKS)), init=False, repr=False
    )

    def here(self, id: ArchiveId) -> threading.RLock:
        """The lock of this process: for looking, and for what no other server can undo."""
        return self._here[hash(id) % _LOCKS]

    @contextmanager
    def take(self, id: ArchiveId) -> Iterator[None]:
        """Be alone at the name of *id* while in the context."""
        with self.here(id):
            if self.among is None:
                yield
            else:
                with self.among.alone_at(id):
                    yield

    def check(self) -> None:
        """Raises TurnLost: another server may have the turn of this thread."""
        if self.among is not None:
            self.among.check()
