"""Pieces made ahead of their reader, in a thread."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tarkeep.adapters.process.prefetcher import AHEAD_PIECES, IDLE_SECONDS, AheadBudget, Prefetcher
from tarkeep.domain.ports.unpacking import NOT_YET, NotYet
from tests.support.pieces import made


class Broken(Exception):
    pass


def counted(made: list[int], stop: int, closed: threading.Event) -> Generator[bytes, None, None]:
    try:
        for number in range(stop):
            made.append(number)
            yield b"%d" % number
    finally:
        closed.set()


def breaking() -> Iterator[bytes]:
    yield b"first"
    raise Broken


@pytest.mark.parametrize("threads", [0, 1])
def test_all_pieces_come_in_order(threads: int) -> None:
    """With a thread, and without one if none is left."""
    closed = threading.Event()

    pieces = list(made(AheadBudget(threads).ahead(lambda: counted([], 1_000, closed), name="ahead")))

    assert pieces == [b"%d" % number for number in range(1_000)]
    assert closed.is_set()


@pytest.mark.parametrize("threads", [0, 1])
def test_an_error_comes_behind_the_pieces_before_it(threads: int) -> None:
    """Not earlier, though it was met earlier."""

    def all_of() -> Generator[bytes, None, None]:
        yield from breaking()

    pieces = made(AheadBudget(threads).ahead(all_of, name="ahead"))

    assert next(pieces) == b"first"
    with pytest.raises(Broken):
        next(pieces)


@pytest.mark.parametrize("threads", [0, 1])
def test_closing_ends_the_thread_and_the_source_and_gives_the_thread_back(threads: int) -> None:
    """In the middle, while the thread waits for a piece to be taken."""
    budget, closed = AheadBudget(threads), threading.Event()
    before = threading.active_count()
    for _ in range(3):
        closed.clear()
        pieces = budget.ahead(lambda: counted([], 1_000, closed), name="ahead")
        assert next(made(pieces)) == b"0"
        assert threading.active_count() == before + threads

        pieces.close()

        assert closed.is_set()
        assert threading.active_count() == before


def test_no_more_than_the_depth_is_made_ahead() -> None:
    """A slow reader does not fill the memory."""
    counts: list[int] = []
    ahead = Prefetcher(counted(counts, 1_000, threading.Event()), name="ahead", depth=3)
    pieces = made(iter(ahead))
    for taken in range(1, 11):
        next(pieces)
        assert len(counts) <= taken + 3 + 1
    ahead.close()

    assert len(counts) <= 14


@pytest.mark.parametrize("depth", [1, 2, 3, 8])
def test_an_empty_piece_says_that_the_next_is_not_there_yet(depth: int) -> None:
    """Asking for it waits, even if too few are made to wake a reader."""
    may_go_on = threading.Event()

    def slow() -> Generator[bytes, None, None]:
        yield b"first"
        may_go_on.wait()
        yield b"last"

    pieces = iter(Prefetcher(slow(), name="ahead", depth=depth))
    found = [next(pieces)]
    if found[0] is NOT_YET:  # then nothing was made so far
        may_go_on.set()
    else:
        found.append(next(pieces))
        assert found[1] is NOT_YET
        may_go_on.set()
    found += pieces

    assert list(made(iter(found))) == [b"first", b"last"]
    assert NOT_YET in found


@pytest.mark.parametrize("depth", [1, 2, 3, 8, 64])
def test_a_reader_and_a_maker_of_any_speed_come_to_the_end(depth: int) -> None:
    """Neither waits for a wake-up that never comes, whichever is faster."""
    for seed in range(20):
        rng = random.Random(seed)

        def source(rng: random.Random = rng) -> Generator[bytes, None, None]:
            for number in range(rng.randrange(200)):
                if rng.random() < 0.1:
                    time.sleep(rng.random() / 2_000)
                yield b"%d" % number

        taken = []
        ahead = Prefetcher(source(), name="ahead", depth=depth)
        slowness = random.Random(seed + 1)
        for piece in made(iter(ahead)):
            if slowness.random() < 0.1:
                time.sleep(slowness.random() / 2_000)
            taken.append(piece)
        ahead.close()

        assert taken == [b"%d" % number for number in range(len(taken))]


def keep(pieces: Iterator[bytes], taken: list[bytes]) -> None:
    """Append each as it arrives; `list.extend` may drop those before an error."""
    for piece in pieces:
        taken.append(piece)


# -- giving way ------------------------------------------------------------------------------------------------------

PIECES = [b"%d," % number for number in range(2_000)]


class Readers:
    """A budget for one reader, with a simulated clock, over a source that counts how often it was begun."""

    def __init__(self, pieces: list[bytes] = PIECES) -> None:
        self.pieces = pieces
        self.seconds = 0.0
        self.begun = 0
        self.budget = AheadBudget(1, now=lambda: self.seconds)

    def begin(self) -> Generator[bytes | NotYet, None, None]:
        def source() -> Generator[bytes, None, None]:
            self.begun += 1
            yield from self.pieces

        return self.budget.ahead(source, name="ahead")


def test_who_takes_nothing_for_a_while_gives_way_to_another_and_misses_no_byte() -> None:
    """Its slot is lent to another; when it goes on, it gets the rest, from a source that was begun again."""
    readers, before = Readers(), threading.active_count()
    idle = made(readers.begin())
    taken = [next(idle) for _ in range(100)]
    readers.seconds += IDLE_SECONDS + 1

    other = made(readers.begin())
    assert next(other) == PIECES[0]
    assert threading.active_count() == before + 1
    assert taken + list(idle) == PIECES
    assert [PIECES[0], *other] == PIECES
    assert readers.begun == 3
    assert threading.active_count() == before


def test_who_goes_on_taking_keeps_what_is_lent_to_him() -> None:
    """Another one then reads without a thread, and neither source is begun again."""
    readers, before = Readers(), threading.active_count()
    busy = made(readers.begin())
    taken = []
    for _ in range(10):
        taken.append(next(busy))
        readers.seconds += IDLE_SECONDS / 2
    other = made(readers.begin())

    assert list(other) == PIECES
    assert threading.active_count() == before + 1
    assert taken + list(busy) == PIECES
    assert readers.begun == 2


def test_what_was_made_to_its_end_is_given_up_too() -> None:
    """Pieces wait although the thread has ended; and a reader that gave way gets no slot again."""
    readers = Readers(PIECES[:AHEAD_PIECES])
    idle = made(readers.begin())
    taken = [next(idle)]
    (ahead,) = readers.budget._lent
    ahead._thread.join()
    readers.seconds += IDLE_SECONDS + 1
    other = made(readers.begin())
    next(other)

    assert not ahead._made
    assert taken + list(idle) == PIECES[:AHEAD_PIECES]
    assert readers.begun == 3
    assert readers.budget._lent != [ahead]
    assert len(list(other)) == AHEAD_PIECES - 1


def test_an_error_met_ahead_of_one_who_gave_way_comes_in_its_place() -> None:
    """It is met again when the reader gets to it, and no piece before it is lost."""
    budget = AheadBudget(1, now=iter(range(0, 10**9, 10)).__next__)  # any two looks at this clock are far apart

    def all_of() -> Generator[bytes, None, None]:
        yield from PIECES
        raise Broken

    idle = made(budget.ahead(all_of, name="ahead"))
    taken = [next(idle)]
    other = budget.ahead(all_of, name="ahead")
    next(other)
    other.close()
    with pytest.raises(Broken):
        keep(idle, taken)

    assert taken == PIECES


def test_readers_that_take_from_each_other_all_get_every_byte() -> None:
    """Eight threads with a budget for two, in which every reader is idle after a thousandth of a second."""
    clock = iter(range(10**9))
    budget = AheadBudget(2, now=lambda: next(clock) / 50)
    content = b"".join(PIECES)

    def source() -> Generator[bytes, None, None]:
        yield from PIECES

    def read(seed: int) -> bool:
        rng = random.Random(seed)
        taken = []
        for piece in made(budget.ahead(source, name="ahead")):
            taken.append(piece)
            if rng.random() < 0.01:
                time.sleep(rng.random() / 500)
        return b"".join(taken) == content

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(read, range(64)))
    assert not budget._lent
