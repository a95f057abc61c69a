"""How much of what is stored was found right of late."""

from __future__ import annotations

from datetime import timedelta

from tarkeep.domain.archives.archive import ArchiveState
from tests.support.archives import make_targz
from tests.support.assembled import InMemory, offer

DAY = timedelta(days=1)


def test_what_was_not_read_for_long_is_told_apart() -> None:
    memory = InMemory()
    tarkeep, begun = memory.tarkeep, memory.clock.now()
    for profile, name in (("web", "a.tar.gz"), ("web", "b.tar.gz"), ("laptop", "a.tar.gz")):
        tarkeep.receive(offer(name, profile=profile), iter([make_targz({profile + name: b"x"})]))
    memory.clock.advance(31 * DAY)
    tarkeep.receive(offer("c.tar.gz", profile="web"), iter([make_targz()]))
    memory.catalog.mark(offer("b.tar.gz", profile="web").id, ArchiveState.DAMAGED)

    every, laptop = tarkeep.read_scrubs(lambda _: True), tarkeep.read_scrubs("laptop".__eq__)

    assert (every.archives, every.right, every.oldest, every.damaged) == (3, 1, begun, (("web", 1),))
    assert (laptop.archives, laptop.right, laptop.damaged) == (1, 0, ())
    nothing = tarkeep.read_scrubs(lambda _: False)
    assert (nothing.archives, nothing.oldest) == (0, None)
