"""What a scrub needs of the machine: several readers at once, and consideration for people who are served meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Traffic(Protocol):
    """Whether people are sending or getting archives now, or wait for an answer. Any number of threads."""

    def serving(self) -> AbstractContextManager[None]:
        """Somebody is being served while in the context."""

    def is_busy(self) -> bool:
        """Whether anybody is being served."""

    def answering(self) -> AbstractContextManager[None]:
        """Somebody waits for an answer while in the context."""

    def is_asked(self) -> bool:
        """Whether anybody waits for an answer, or got one in the last second."""

    def give_way(self, seconds: float) -> None:
        """Wait until nobody waits for an answer, but no longer than so many *seconds*."""


class ReadingPace(Protocol):
    """Keeps readers to a rate, which they share. Any number of threads."""

    def took(self, size_bytes: int, go_on: Callable[[], bool]) -> None:
        """A block of *size_bytes* was read: wait until the next one may be, or *go_on* is false."""


class Readers(Protocol):
    """Several threads that work for one caller, with the lowest priority."""

    def each(self, work: Callable[[T], Iterable[R]], large: Iterable[T], small: Iterable[T]) -> Iterator[R | None]:
        """
        All results of *work* on each item, in the order in which they are ready; None now and then while none is.

        Items of *large* are worked on by all threads, those of *small* by one more. An error of *work* is raised here.
        Leaving the iterator waits until the results that are being worked on are there, and drops the others.
        """
