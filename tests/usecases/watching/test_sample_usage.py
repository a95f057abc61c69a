"""What is used is noted once an hour, from the first day on."""

from __future__ import annotations

from datetime import date, timedelta

from tarkeep.domain.archives.archive import ArchiveState
from tarkeep.domain.identity.archive_id import BackupType
from tests.support.archives import make_targz
from tests.support.assembled import InMemory, offer

DAY = timedelta(days=1)
CONTENT = make_targz()


def looked(memory: InMemory, after: timedelta) -> None:
    """Let the jobs look once *after* has passed."""
    memory.clock.advance(after)
    tarkeep = memory.tarkeep
    tarkeep.settle_runs()
    tarkeep.run_due_jobs(lambda: True, lambda _run, _error: None)
    memory.clock.advance(DAY / 24)
    tarkeep.run_due_jobs(lambda: True, lambda _run, _error: None)


def kept(memory: InMemory) -> dict[date, int]:
    return {one.day: one.total_bytes for one in memory.catalog.used.days(date.min, date.max)}


def test_the_first_note_comes_with_the_days_before_it() -> None:
    """A server that was there before it noted anything, and never removed anything."""
    memory = InMemory()
    memory.tarkeep.receive(offer(), iter([CONTENT]))
    memory.clock.advance(3 * DAY)
    memory.tarkeep.receive(offer("b.tar.gz", type=BackupType.INC), iter([CONTENT]))

    looked(memory, DAY)

    today, size = memory.clock.now().date(), len(CONTENT)
    assert kept(memory) == {today - number * DAY: size * (1 if number > 1 else 2) for number in range(5)}
    assert memory.catalog.used.days(today, today)[0].stored[BackupType.INC] == size


def test_of_a_server_that_removed_something_nothing_is_made_up() -> None:
    memory = InMemory()
    memory.tarkeep.receive(offer(), iter([CONTENT]))
    memory.catalog.mark(offer().id, ArchiveState.TRASHED)

    looked(memory, 5 * DAY)

    assert list(kept(memory).values()) == [0]


def test_storage_tells_what_is_there_now() -> None:
    """And of a profile what came, pruned or not; the server only to whom is to know of it."""
    memory = InMemory()
    for profile, name in (("web", "a.tar.gz"), ("web", "b.tar.gz"), ("laptop", "a.tar.gz")):
        memory.tarkeep.receive(offer(name, profile=profile), iter([CONTENT]))
    memory.catalog.mark(offer(profile="web").id, ArchiveState.TRASHED)

    profiles, growth = memory.tarkeep.read_storage(lambda _: True, with_server=True)

    assert [(one.profile, one.archives, one.came_bytes) for one in profiles] == [
        ("web", 1, 2 * len(CONTENT)),
        ("laptop", 1, len(CONTENT)),
    ]
    assert growth is not None
    assert growth.used.total_bytes == 2 * len(CONTENT)
    assert growth.expected is None
    assert memory.tarkeep.read_storage("web".__eq__, with_server=False) == ((profiles[0],), None)
