"""Pieces made ahead of who reads them, in a thread."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Generator, Iterator

import pytest

from tarkeep.adapters.beside import Ahead, ThreadBudget


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


def made(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Those that are not only there to say that the next is on its way."""
    return filter(None, pieces)


@pytest.mark.parametrize("threads", [0, 1])
def test_all_pieces_come_in_order(threads: int) -> None:
    """With a thread, and without one where none is left."""
    closed = threading.Event()

    pieces = list(made(ThreadBudget(threads).ahead(counted([], 1_000, closed), name="ahead")))

    assert pieces == [b"%d" % number for number in range(1_000)]
    assert closed.is_set()


@pytest.mark.parametrize("threads", [0, 1])
def test_an_error_comes_behind_the_pieces_before_it(threads: int) -> None:
    """Not earlier, though it was met earlier."""

    def all_of() -> Generator[bytes, None, None]:
        yield from breaking()

    pieces = made(ThreadBudget(threads).ahead(all_of(), name="ahead"))

    assert next(pieces) == b"first"
    with pytest.raises(Broken):
        next(pieces)


@pytest.mark.parametrize("threads", [0, 1])
def test_closing_ends_the_thread_and_the_source_and_gives_the_thread_back(threads: int) -> None:
    """In the middle, while the thread waits for somebody to take a piece."""
    budget, closed = ThreadBudget(threads), threading.Event()
    before = threading.active_count()
    for _ in range(3):
        closed.clear()
        pieces = budget.ahead(counted([], 1_000, closed), name="ahead")
        assert next(made(pieces)) == b"0"
        assert threading.active_count() == before + threads

        pieces.close()

        assert closed.is_set()
        assert threading.active_count() == before


def test_no_more_than_the_depth_is_made_ahead() -> None:
    """A slow reader does not fill the memory."""
    counts: list[int] = []
    ahead = Ahead(counted(counts, 1_000, threading.Event()), name="ahead", depth=3)
    pieces = made(iter(ahead))
    for taken in range(1, 11):
        next(pieces)
        assert len(counts) <= taken + 3 + 1
    ahead.close()

    assert len(counts) <= 14


@pytest.mark.parametrize("depth", [1, 2, 3, 8])
def test_an_empty_piece_says_that_the_next_is_not_there_yet(depth: int) -> None:
    """Asking for it waits, also where less is made than anybody is woken for."""
    may_go_on = threading.Event()

    def slow() -> Iterator[bytes]:
        yield b"first"
        may_go_on.wait()
        yield b"last"

    pieces = iter(Ahead(slow(), name="ahead", depth=depth))
    found = [next(pieces)]
    if not found[0]:  # then nothing was made so far
        may_go_on.set()
    else:
        found.append(next(pieces))
        assert found[1] == b""
        may_go_on.set()
    found += pieces

    assert [piece for piece in found if piece] == [b"first", b"last"]
    assert b"" in found


@pytest.mark.parametrize("depth", [1, 2, 3, 8, 64])
def test_a_reader_and_a_maker_of_any_speed_come_to_the_end(depth: int) -> None:
    """Nobody waits for a wake-up that never comes, whoever is faster."""
    for seed in range(20):
        rng = random.Random(seed)

        def source(rng: random.Random = rng) -> Iterator[bytes]:
            for number in range(rng.randrange(200)):
                if rng.random() < 0.1:
                    time.sleep(rng.random() / 2_000)
                yield b"%d" % number

        taken = []
        ahead = Ahead(source(), name="ahead", depth=depth)
        slowness = random.Random(seed + 1)
        for piece in made(iter(ahead)):
            if slowness.random() < 0.1:
                time.sleep(slowness.random() / 2_000)
            taken.append(piece)
        ahead.close()

        assert taken == [b"%d" % number for number in range(len(taken))]
