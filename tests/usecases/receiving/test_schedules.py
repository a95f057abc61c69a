"""
One receive stops at each of its calls, others run meanwhile, and it goes on, or is dead.

Random kills do not find what is wrong here: the moments that matter last milliseconds. `tests/faults/test_mutants.py`
shows that these schedules do.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.memory.store import MemoryArchiveStore
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.archives.archive import ArchiveState
from tarkeep.domain.archives.sidecar import decode
from tarkeep.domain.ports.catalog import Catalog
from tests.support.archives import make_targz
from tests.support.assembled import offer
from tests.support.claims import LEASE, OVER
from tests.support.clocks import FixedClock
from tests.support.postgres import Postgres
from tests.support.schedules import NAME, Paused, Server, Shared, Stops

CONTENT = make_targz()
OTHER = make_targz({"other.txt": b"other\n"})

MAKE = Callable[[], Catalog]


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MAKE]:
    """Makes catalogs, each empty."""
    made: list[SqlCatalog] = []

    def in_sql(url: str) -> Catalog:
        while made:
            made.pop().close()
        made.append(SqlCatalog.open(url))
        return made[-1]

    numbers = itertools.count()
    if request.param == "sqlite":
        yield lambda: in_sql(f"sqlite:///{tmp_path}/{next(numbers)}.sqlite")
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        yield lambda: in_sql(postgres.emptied("schedules"))
    while made:
        made.pop().close()


def shared_by(make: MAKE) -> Shared:
    return Shared(MemoryArchiveStore(FixedClock()), make())


def points_of_a_receive() -> list[int]:
    """The calls at which a receive may stop; before it claims and after it confirmed it does not matter where."""
    shared, counting = shared_by(MemoryCatalog), Stops()
    shared.server(counting).receive(CONTENT)
    assert shared.acknowledged == [CONTENT]
    first, last = counting.names.index("before claim"), counting.names.index("after confirm")
    return [1, *range(first + 1, last + 2)]


POINTS = points_of_a_receive()


def reaper(shared: Shared) -> None:
    shared.server().tarkeep.reap()


def same(shared: Shared) -> None:
    shared.server().receive(CONTENT)


def other(shared: Shared) -> None:
    shared.server().receive(OTHER)


def same_of(server: Server) -> None:
    server.receive(CONTENT)


def other_of(server: Server) -> None:
    server.receive(OTHER)


def reap_of(server: Server) -> None:
    server.tarkeep.reap()


Meanwhile = tuple[Callable[[Shared], None], ...]

MEANWHILE: dict[str, Meanwhile] = {
    "reaper": (reaper,),
    "same bytes": (same,),
    "other bytes": (other,),
    "reaper, same bytes": (reaper, same),
    "reaper, other bytes": (reaper, other),
    "same bytes, reaper": (same, reaper),
    "other bytes, reaper": (other, reaper),
}
IN_SQL = ["reaper, same bytes", "reaper, other bytes", "other bytes, reaper"]

either_way = pytest.mark.parametrize("dies", [False, True], ids=["goes on", "dies"])


@either_way
@pytest.mark.parametrize("lease", [OVER, LEASE], ids=["lease over", "lease runs"])
@pytest.mark.parametrize("meanwhile", MEANWHILE.values(), ids=MEANWHILE)
def test_a_receive_that_stops_anywhere(meanwhile: Meanwhile, lease: timedelta, dies: bool) -> None:
    """Whatever others do meanwhile, nothing is lost, one of them wins, and what is listed can be read."""
    stop_everywhere(MemoryCatalog, meanwhile, lease, dies=dies)


@either_way
@pytest.mark.parametrize("meanwhile", IN_SQL)
def test_a_receive_that_stops_anywhere_over_a_database(make: MAKE, meanwhile: str, dies: bool) -> None:
    """Likewise by the transactions of a database."""
    stop_everywhere(make, MEANWHILE[meanwhile], OVER, dies=dies)


def stop_everywhere(make: MAKE, meanwhile: Meanwhile, lease: timedelta, *, dies: bool) -> None:
    for at in POINTS:
        shared = shared_by(make)
        first: list[Server] = []

        def others(shared: Shared = shared, first: list[Server] = first) -> None:
            if lease == OVER:
                first[0].sleep()
            for one in meanwhile:
                one(shared)

        first.append(shared.server(Stops(at, others, dies), lease))
        first[0].receive(CONTENT)

        shared.check()
        again(shared)


@pytest.mark.parametrize("second_does", [same_of, other_of, reap_of], ids=["same bytes", "other bytes", "reaper"])
@either_way
def test_two_servers_that_stop_anywhere(second_does: Callable[[Server], None], dies: bool) -> None:
    """The second stops, too, while the first goes on, or is dead; then the second wakes."""
    for at, late in itertools.product(POINTS, [*POINTS, *range(POINTS[-1] + 1, POINTS[-1] + 6)]):
        shared = shared_by(MemoryCatalog)
        stops = Stops(late)
        second = shared.server(stops)
        paused = Paused(partial(second_does, second))
        stops.meanwhile = paused.pause
        first: list[Server] = []

        def others(first: list[Server] = first, paused: Paused = paused) -> None:
            first[0].sleep()
            paused.start()

        first.append(shared.server(Stops(at, others, dies)))
        first[0].receive(CONTENT)
        second.sleep()
        reaper(shared)
        paused.go_on()

        shared.check()
        again(shared)


def test_a_server_that_wakes_when_its_archive_was_removed() -> None:
    """It confirmed nothing yet, and the claim that it finds is another's: that is not its to confirm."""
    shared = shared_by(MemoryCatalog)

    def others() -> None:
        reaper(shared)
        (archive,) = shared.catalog.page().archives
        shared.catalog.mark(archive.id, ArchiveState.TRASHED)
        shared.store.remove(archive.id)
        shared.catalog.forget(archive.id)
        shared.server(Stops(at_name="before confirm", dies=True)).receive(OTHER)

    shared.server(Stops(at_name="before confirm", meanwhile=others)).receive(CONTENT)

    assert shared.acknowledged == []
    shared.check()
    again(shared)
    assert shared.acknowledged == [OTHER]


def again(shared: Shared) -> None:
    """Whoever was not answered sends again, and learns what is stored; what the store has is listed then."""
    before = set(shared.acknowledged)
    shared.server().receive(CONTENT)
    shared.server().receive(OTHER)
    shared.check()
    stored = [decode(one.sidecar or b"").id for one in shared.store.scan()]
    assert stored == [offer(NAME).id] == [archive.id for archive in shared.catalog.page().archives]
    assert before <= set(shared.acknowledged)
