"""
Doing again what the database may or may not have done.

When a connection breaks, nobody knows whether the last transaction was committed. Work that bears a token finds out
when it is done again: it sees its own effect. So it is, until the database answers or some seconds have passed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ....domain.errors.capacity import BackendUnavailable

_Result = TypeVar("_Result")

_SECONDS = 5.0
_TRIES = 5
_IN_FAVOUR_OF_ANOTHER = ("40001", "40P01")
_PAUSES = (0.01, 0.05, 0.1, 0.2, 0.4)
"""Seconds between two tries; the last one again and again."""


def until_answered(work: Callable[[], _Result]) -> _Result:
    """
    The result of *work*, which is tried again while the database cannot be reached, for five seconds.

    Raises:
        BackendUnavailable: it could not be reached all the time.
    """
    deadline, tries = time.monotonic() + _SECONDS, 0
    while True:
        try:
            return work()
        except BackendUnavailable:
            pause = _PAUSES[min(tries, len(_PAUSES) - 1)]
            if time.monotonic() + pause > deadline:
                raise
        tries += 1
        time.sleep(pause)


def despite_deadlocks(work: Callable[[], _Result]) -> _Result:
    """
    The result of *work*, which is done again if the database ended it in favour of another: that had no effect.

    Writers of different profiles change some rows in different orders, such as what is noted of scrubs.
    """
    for _ in range(_TRIES - 1):
        try:
            return work()
        except Exception as error:
            if getattr(error, "sqlstate", None) not in _IN_FAVOUR_OF_ANOTHER:
                raise
    return work()
