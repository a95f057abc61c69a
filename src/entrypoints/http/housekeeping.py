"""
What the server does every minute beside its jobs: drop abandoned uploads, save when tokens were used, note the time.

Each takes a moment, leaves nothing to look up, and must not wait until a job, which may take hours, has ended: hence a
thread of its own, and no rows in the table of runs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ...domain.tarkeep_error import TarkeepError
from ..logs import Log
from ..wiring.tarkeep import Tarkeep

log = Log("tarkeep")

EVERY_SECONDS = 60.0


@contextmanager
def housekeeping(tarkeep: Tarkeep) -> Iterator[None]:
    """Do it in the background until the context is left."""
    ended = threading.Event()

    def keep() -> None:
        doubt = ""
        while not ended.wait(EVERY_SECONDS):
            tarkeep.token_store.keep_uses()
            try:
                tarkeep.uploads.expire()
            except TarkeepError as error:
                log.warning("abandoned uploads could not be dropped", reason=error)
            doubt = look_at_clock(tarkeep, doubt)
            show_hidden(tarkeep)

    thread = threading.Thread(target=keep, name="housekeeping")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def look_at_clock(tarkeep: Tarkeep, known: str) -> str:
    """Note the time, and log a doubt about the clock that is not *known*; returns the doubt as it is now."""
    try:
        doubt = tarkeep.watch_clock().doubt
    except TarkeepError as error:
        log.warning("the time could not be noted", reason=error)
        return known
    if doubt and doubt != known:
        log.error("the clock is not trusted: nothing is removed until tarkeep clock accept", reason=doubt)
    return doubt


def show_hidden(tarkeep: Tarkeep) -> None:
    """Show archives that came back from the trash while the catalog failed; whatever goes wrong is logged."""
    try:
        shown = tarkeep.show_hidden()
    except TarkeepError as error:
        log.warning("archives that came back from the trash are still hidden", reason=error)
        return
    for id in shown:
        log.info("shown again after an error of the catalog", archive=id)
