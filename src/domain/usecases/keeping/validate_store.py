"""
Checking that a store keeps the promises of an archive store, before it gets real archives.

A store may break a promise in any way: any error that it raises becomes the verdict on that promise, and the others are
still checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from attrs import frozen

from ...ports.store import ArchiveStore
from .store_promises import PROMISES, Promise, PromiseBroken


@frozen
class Verdict:
    """The verdict on a promise: *broken* says how the store broke it, or is None."""

    sentence: str
    broken: str | None


def _no_engine() -> Iterator[Verdict]:
    return iter(())


@frozen
class ValidateStore:
    """
    Checks each promise on the store that *open* opens, which must be empty and unused; verdicts come one by one.

    *engine* gives verdicts on what the store itself is built on, if there is something to try. They come first; if one
    is broken, there can be no store, and its promises are not tried.
    *open* is called again for data that must survive a close. The store is emptied between two promises. Errors of
    *open* pass through: a store that cannot be opened cannot be checked.
    """

    open: Callable[[], AbstractContextManager[ArchiveStore]]
    promises: Sequence[Promise] = PROMISES
    engine: Callable[[], Iterator[Verdict]] = _no_engine

    def __call__(self) -> Iterator[Verdict]:
        is_fit = True
        for verdict in self.engine():
            is_fit = is_fit and verdict.broken is None
            yield verdict
        for promise in self.promises if is_fit else ():
            broken = None
            for trial in (promise.kept_by, promise.afterwards):
                if trial is None or broken is not None:
                    continue
                with self.open() as store:
                    broken = _tried(trial, store)
            with self.open() as store:
                left = _tried(_emptied, store)
            yield Verdict(promise.sentence, broken or left)


def _tried(trial: Callable[[ArchiveStore], None], store: ArchiveStore) -> str | None:
    """How *store* failed the *trial*, or None."""
    try:
        trial(store)
    except PromiseBroken as broken:
        return str(broken)
    except Exception as error:  # any error of a faulty store is its verdict
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return None


def _emptied(store: ArchiveStore) -> None:
    for entry in [*store.trashed()]:
        if entry.size_bytes is not None:
            store.untrash(entry.id)
        else:
            store.forget(entry.id)
    for id in [*store.ids()]:
        store.remove(id)
    if [*store.ids()]:
        raise PromiseBroken("a removed archive still exists")
