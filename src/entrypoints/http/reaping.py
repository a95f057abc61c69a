"""
Settling claims that other servers left, every few seconds: only where several servers share a store and a catalog.

The pauses vary, so that servers that were started at the same moment do not come at the same moment for ever.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ...domain.tarkeep_error import TarkeepError
from ..logs import Log
from ..wiring.tarkeep import Tarkeep

log = Log("tarkeep")

EVERY_SECONDS = 5.0
_VARIES_BY = 0.2


@contextmanager
def reaping(tarkeep: Tarkeep) -> Iterator[None]:
    """Do it in the background until the context is left."""
    if not tarkeep.is_shared:
        yield
        return
    ended = threading.Event()

    def reap() -> None:
        failed = ""
        while not ended.wait(EVERY_SECONDS * random.uniform(1 - _VARIES_BY, 1 + _VARIES_BY)):
            failed = settle_left(tarkeep, failed)

    thread = threading.Thread(target=reap, name="reaping")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def settle_left(tarkeep: Tarkeep, failed: str) -> str:
    """Settle one batch and log it; returns why that failed, which is logged unless it is what *failed* before."""
    try:
        report = tarkeep.reap()
    except TarkeepError as error:
        if str(error) != failed:
            log.warning("claims that other servers left could not be settled", reason=error)
        return str(error)
    if report.confirmed or report.dropped:
        log.warning("settled claims that were left", confirmed=report.confirmed, dropped=report.dropped)
    return ""
