"""Shared syncs: one for all waiting writers, begun after each of them had written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import pytest
from attrs import define, field

from tarkeep.adapters.process.shared_syncs import SharedSyncs


@define
class Medium:
    """The writes, and how many of them each sync found when it began; a sync ends when the test lets it."""

    written: list[int] = field(factory=list)
    durable: int = 0
    calls: int = 0
    begun: Event = field(factory=Event)
    let_go: Event = field(factory=Event)
    error: OSError | None = None
    lock: Lock = field(factory=Lock)

    def sync(self) -> None:
        with self.lock:
            self.calls += 1
            seen = len(self.written)
        self.begun.set()
        assert self.let_go.wait(60)
        if self.error is not None and self.calls > 1:
            raise self.error
        with self.lock:
            self.durable = max(self.durable, seen)


def write(medium: Medium, syncs: SharedSyncs, number: int) -> bool:
    with medium.lock:
        medium.written.append(number)
        position = len(medium.written)
    syncs.sync("place", medium.sync)
    return medium.durable >= position


def waiting(syncs: SharedSyncs) -> int:
    place = syncs._places.get("place")
    return place.interested if place is not None else 0


def test_all_who_come_while_one_is_under_way_share_the_next() -> None:
    """Nine writers are durable after two syncs, and none returns before a sync that began after it had written."""
    medium, syncs = Medium(), SharedSyncs()
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(write, medium, syncs, 0)
        assert medium.begun.wait(60)
        others = [pool.submit(write, medium, syncs, number) for number in range(1, 9)]
        while waiting(syncs) < 9:
            pass
        medium.let_go.set()

        assert first.result(60)
        assert all(other.result(60) for other in others)
    assert medium.calls == 2


def test_a_failure_is_told_to_all_whom_the_sync_was_made_for() -> None:
    """And to no other: the writer before them is durable, the one after them may try."""
    medium, syncs = Medium(error=OSError(5, "lost")), SharedSyncs()
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(write, medium, syncs, 0)
        assert medium.begun.wait(60)
        others = [pool.submit(write, medium, syncs, number) for number in range(1, 5)]
        while waiting(syncs) < 5:
            pass
        medium.let_go.set()

        assert first.result(60)
        for other in others:
            with pytest.raises(OSError, match="lost"):
                other.result(60)
    medium.error = None
    assert write(medium, syncs, 9)
    assert waiting(syncs) == 0


def test_places_do_not_wait_for_each_other() -> None:
    """A sync of one directory does not make a writer to another wait."""
    medium, syncs = Medium(), SharedSyncs()
    done: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(write, medium, syncs, 0)
        assert medium.begun.wait(60)

        syncs.sync("elsewhere", lambda: done.append("elsewhere"))

        medium.let_go.set()
        assert first.result(60)
    assert done == ["elsewhere"]


def test_many_writers_never_return_too_early() -> None:
    """Sixteen threads, each a hundred times: a writer that returns is durable."""
    medium, syncs = Medium(), SharedSyncs()
    medium.let_go.set()

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda number: write(medium, syncs, number), range(1600)))

    assert medium.calls <= 1600
