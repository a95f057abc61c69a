"""Reading one archive after the other, without waiting; for tests, and for stores in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TypeVar

from attrs import define

T = TypeVar("T")
R = TypeVar("R")


@define(eq=False)
class OneReader:
    """`Readers` without threads, in the order of the items: large ones first."""

    def each(self, work: Callable[[T], Iterable[R]], large: Iterable[T], small: Iterable[T]) -> Iterator[R | None]:
        for item in chain(large, small):
            yield from work(item)


@define(eq=False)
class AnyPace:
    """`ReadingPace` that never waits."""

    def took(self, size_bytes: int, go_on: Callable[[], bool]) -> None:
        """Does nothing."""
