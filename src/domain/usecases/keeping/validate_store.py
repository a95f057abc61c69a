"""
Try on a store what an archive store has to promise, before archives are entrusted to it.

A store that breaks a promise is what this is looking for: whatever it raises becomes the verdict on that promise, and
the others are tried all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from attrs import frozen

from ...ports.store import ArchiveStore
from .store_promises import PROMISES, Promise, PromiseBroken


@frozen
class Verdict:
    """What came of trying a promise: *broken* says how it was broken, None where it is kept."""

    sentence: str
    broken: str | None


@frozen
class ValidateStore:
    """
    Tries each promise on the store that *open* opens, which is empty and nobody else's; verdicts come one by one.

    *open* is called again for what has to be there after a close. What was stored is removed between two promises.
    Whatever *open* raises comes through: a store that cannot be opened promises nothing.
    """

    open: Callable[[], AbstractContextManager[ArchiveStore]]
    promises: Sequence[Promise] = PROMISES

    def __call__(self) -> Iterator[Verdict]:
        for promise in self.promises:
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
    """How *store* failed the *trial*; None where it did not."""
    try:
        trial(store)
    except PromiseBroken as broken:
        return str(broken)
    except Exception as error:  # whatever a faulty store raises is its verdict
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return None


def _emptied(store: ArchiveStore) -> None:
    for id in [*store.ids()]:
        store.remove(id)
    if [*store.ids()]:
        raise PromiseBroken("what was removed is still there")
