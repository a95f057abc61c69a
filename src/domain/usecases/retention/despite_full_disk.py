"""Freeing space where there is none: the ballast is given up for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ...errors.capacity import InsufficientStorage
from ...ports.store import Ballast

_Result = TypeVar("_Result")


def despite_full_disk(ballast: Ballast, doing: str, work: Callable[[], _Result]) -> _Result:
    """
    What *work* returns; on a full disk the ballast is given up and it is done once more. It must be repeatable.

    *doing* says what it does, such as ``moving an archive to the trash``.

    Raises:
        InsufficientStorage: there is no room for it all the same.
        Any other error that *work* raises.
    """
    try:
        return work()
    except InsufficientStorage:
        ballast.give_up()
    try:
        return work()
    except InsufficientStorage as error:
        raise InsufficientStorage(doing=doing) from error
