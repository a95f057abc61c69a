"""Another store to import from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from attrs import frozen

from .store import Block


@frozen
class ForeignArchive:
    """
    An archive of another store, as that store describes it.

    *label* names it for people. *received_at* is aware, in UTC. *open* gives its bytes. *problem* says why it cannot be
    read as an archive at all, or is None.
    """

    label: str
    profile: str
    type: str
    name: str
    md5: str | None
    received_at: datetime
    open: Callable[[], AbstractContextManager[Iterable[Block]]]
    problem: str | None = None


class ForeignStore(Protocol):
    """Another store to import from."""

    def archives(self) -> Iterator[ForeignArchive]:
        """Every archive, in a fixed order."""
