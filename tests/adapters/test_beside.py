"""Pieces made ahead of who reads them, in a thread."""

from __future__ import annotations

import threading
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


@pytest.mark.parametrize("threads", [0, 1])
def test_all_pieces_come_in_order(threads: int) -> None:
    """With a thread, and without one where none is left."""
    closed = threading.Event()

    pieces = list(ThreadBudget(threads).ahead(counted([], 1_000, closed), name="ahead"))

    assert pieces == [b"%d" % number for number in range(1_000)]
    assert closed.is_set()


@pytest.mark.parametrize("threads", [0, 1])
def test_an_error_comes_behind_the_pieces_before_it(threads: int) -> None:
    """Not earlier, though it was met earlier."""

    def all_of() -> Generator[bytes, None, None]:
        yield from breaking()

    pieces = ThreadBudget(threads).ahead(all_of(), name="ahead")

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
        assert next(pieces) == b"0"
        assert threading.active_count() == before + threads

        pieces.close()

        assert closed.is_set()
        assert threading.active_count() == before


def test_no_more_than_the_depth_is_made_ahead() -> None:
    """A slow reader does not fill the memory."""
    made: list[int] = []
    ahead = Ahead(counted(made, 1_000, threading.Event()), name="ahead", depth=3)
    pieces = iter(ahead)
    for taken in range(1, 11):
        next(pieces)
        assert len(made) <= taken + 3 + 1
    ahead.close()

    assert len(made) <= 14
