"""
Several servers over one store and one catalog, in one process, in an order that the test says.

A server stops before or after a chosen call of its store or its catalog. Meanwhile others do what they do; then it goes
on from there, or is dead: a dead one makes no call any more and cleans nothing up.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar

from attrs import define, evolve, field

from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.errors.archives import ArchiveNotFound
from tarkeep.domain.ports.catalog import Catalog
from tarkeep.domain.ports.store import ArchiveStore
from tarkeep.domain.tarkeep_error import TarkeepError
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.assembled import Crash, assembled, offer
from tests.support.claims import OVER
from tests.support.clocks import FixedClock

Port = TypeVar("Port")

NAME = "schedule.tar.gz"
_LONG = timedelta(minutes=1)
"""How long a server stands still: longer than any lease."""


@define(eq=False)
class Stops:
    """
    Counts the calls of everything around which it is, before and after each, and stops at number *at*.

    There *meanwhile* happens; if it *dies*, the server makes no call any more.
    """

    at: int = 0
    meanwhile: Callable[[], None] = lambda: None
    dies: bool = False
    at_name: str = ""
    """Or it stops where this is called, such as ``before confirm``."""
    calls: int = field(default=0, init=False)
    names: list[str] = field(factory=list, init=False)
    _is_dead: bool = field(default=False, init=False)

    def step(self, name: str) -> None:
        if self._is_dead:
            raise Crash
        self.calls += 1
        self.names.append(name)
        if self.calls == self.at or (name == self.at_name and self.names.count(name) == 1):
            self.meanwhile()
            if self.dies:
                self._is_dead = True
                raise Crash

    @property
    def is_dead(self) -> bool:
        return self._is_dead

    def around(self, port: Port) -> Port:
        """*port*, with every call counted."""
        counted: Any = _Counted(port, self)
        result: Port = counted
        return result


class _Counted:
    def __init__(self, inner: Any, stops: Stops) -> None:
        self._inner, self._stops = inner, stops

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)
        if not callable(call):
            return call

        def counted(*arguments: Any, **options: Any) -> Any:
            self._stops.step(f"before {name}")
            result = call(*arguments, **options)
            if hasattr(result, "publish"):
                result = _Counted(result, self._stops)
            self._stops.step(f"after {name}")
            return result

        return counted

    def __enter__(self) -> _Counted:
        self._inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._stops.is_dead:
            self._inner.__exit__(kind, error, trace)


@define(eq=False)
class Shared:
    """The store and the catalog of the servers, and what these answered: the bytes that each was told are stored."""

    store: ArchiveStore
    catalog: Catalog
    acknowledged: list[bytes] = field(factory=list)

    def server(self, stops: Stops | None = None, lease: timedelta = OVER) -> Server:
        """Another server; its claims are anybody's after *lease*."""
        stops = stops or Stops()
        clock = FixedClock()
        store, catalog = stops.around(self.store), stops.around(self.catalog)
        tarkeep = assembled(store, catalog, clock, ids=RandomIds(), is_shared=True)
        intake = tarkeep.receive.begin_intake
        settle = evolve(intake.settle, claims=evolve(intake.settle.claims, lease=lease))
        tarkeep = evolve(tarkeep, receive=evolve(tarkeep.receive, begin_intake=evolve(intake, settle=settle)))
        return Server(self, tarkeep, clock)

    def check(self) -> None:
        """Nothing that was acknowledged is lost, nobody was told an untruth, and what is listed can be read."""
        self.catalog.take_over(1000, OVER, whatever_lease=True)  # all leases are over in the end
        self.server().tarkeep.reap()
        assert self.catalog.open_claims() == []
        listed = {archive.id: archive for archive in self.catalog.page().archives}
        assert len(set(self.acknowledged)) <= 1, "both were told that their bytes have the name"
        for content in self.acknowledged:
            assert offer(NAME).id in listed, "an acknowledged archive is not listed"
            assert self.read(listed[offer(NAME).id]) == content, "an acknowledged archive has other bytes"
        for archive in listed.values():
            assert hashlib.sha256(self.read(archive)).hexdigest() == archive.digests.sha256, "other bytes are listed"

    def read(self, archive: BackupArchive) -> bytes:
        """The stored bytes."""
        try:
            with self.store.read(archive.id) as reader:
                return b"".join(reader)
        except ArchiveNotFound:
            raise AssertionError("a listed archive cannot be read") from None


@define(eq=False)
class Server:
    """One of the servers."""

    shared: Shared
    tarkeep: Tarkeep
    clock: FixedClock

    def receive(self, content: bytes) -> None:
        """Receive *content*, and note what the sender is told; a refusal, or a server that dies, tells him nothing."""
        with suppress(TarkeepError, Crash):
            self.tarkeep.receive(offer(NAME), [content])
            self.shared.acknowledged.append(content)

    def sleep(self) -> None:
        """The machine of this server stands still, and nobody else's."""
        self.clock.advance(_LONG)


@define(eq=False)
class Paused:
    """*work* in a thread of its own, which stands still where `pause` is called, until `go_on`."""

    work: Callable[[], None]
    _has_stopped: threading.Event = field(factory=threading.Event, init=False)
    _may_go_on: threading.Event = field(factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def start(self) -> None:
        """Return when it stands still, or has ended."""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._has_stopped.wait(60)

    def pause(self) -> None:
        self._has_stopped.set()
        assert self._may_go_on.wait(60)

    def go_on(self) -> None:
        """Return when it has ended."""
        self._may_go_on.set()
        if self._thread is not None:
            self._thread.join(60)

    def _run(self) -> None:
        try:
            self.work()
        finally:
            self._has_stopped.set()
