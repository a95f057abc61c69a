"""
A process that raises events and ends them over SQLite, and delivers them to a file; killed at each of its calls.

It is started once, imports everything, and forks: each child is killed one call later than the one before, until one
comes to its end. A call is a statement of SQLite, with those that begin and commit, or a step of the receiver.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from attrs import frozen
from sqlalchemy import event
from sqlalchemy.pool import Pool

from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.domain.notices.event import Event
from tarkeep.domain.notices.message import Message
from tarkeep.domain.notices.routes import NoticePlan, PlanInUse, Route
from tarkeep.domain.ports.upkeep.notices import NoticeTable
from tarkeep.domain.usecases.notices.deliver import DeliverNotices
from tarkeep.domain.usecases.notices.raise_event import EndEvent, RaiseEvent
from tests.support.archives import NOON
from tests.support.clocks import FixedClock

OPS = "ops"
STORY = ("raise a", "deliver", "raise b", "end a", "deliver", "raise c", "end b", "deliver", "end c", "deliver")


def _nothing() -> None:
    pass


@frozen
class FileChannel:
    """`Channel` to the end of a file; *step* is called before and after."""

    file: Path
    step: Callable[[], None] = _nothing

    def deliver(self, message: Message) -> None:
        self.step()
        subjects = [item.key.subject for item in message.items]
        append(self.file, json.dumps({"id": message.id, "kind": message.kind.value, "subjects": subjects}))
        self.step()


def append(file: Path, line: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line.encode() + b"\n")
    os.close(descriptor)


def opened(folder: Path) -> SqlCatalog:
    return SqlCatalog.open(f"sqlite:///{folder}/catalog.sqlite", busy_seconds=60)


def delivering(table: NoticeTable, clock: FixedClock, channel: FileChannel) -> DeliverNotices:
    plan = PlanInUse(NoticePlan((OPS,), (Route((OPS,)),)))
    return DeliverNotices(
        table, lambda: {OPS: channel}, clock, RandomIds(), plan, "backup1", lambda _event, _profile: ""
    )


def live(folder: Path, step: Callable[[], None]) -> None:
    """The whole story; each part of it that was acknowledged is a line of a file."""
    clock, ids = FixedClock(NOON), RandomIds()
    plan = PlanInUse(NoticePlan((OPS,), (Route((OPS,)),)))
    with closing(opened(folder)) as catalog:
        table = catalog.notices
        deliver = delivering(table, clock, FileChannel(folder / "taken", step))
        for part in STORY:
            clock.advance(timedelta(minutes=1))
            what, _, subject = part.partition(" ")
            match what:
                case "raise":
                    RaiseEvent(table, clock, ids, plan)(Event.DRILL_DIFFERENT, "web", subject, f"{subject} differs")
                case "end":
                    EndEvent(table, clock, ids, plan)(Event.DRILL_DIFFERENT, "web", subject)
                case "deliver":
                    deliver(lambda: True)
            append(folder / "acknowledged", part)
            step()


def main(folder: Path) -> None:
    """Live once for each call, in a folder with its number, until nothing is left to be killed at."""
    empty = folder / "0000"
    empty.mkdir()
    with closing(opened(empty)):  # its tables, which are no part of the story
        pass
    killed_at = 0
    while True:
        killed_at += 1
        place = shutil.copytree(empty, folder / f"{killed_at:04}")
        child = os.fork()
        if child == 0:
            _killed(place, killed_at)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))


def _killed(place: Path, killed_at: int) -> None:
    left = killed_at

    def step() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Pool, "connect", lambda connection, _record: connection.set_trace_callback(lambda _text: step()))
    try:
        live(place, step)
    except BaseException as error:
        sys.stderr.write(f"{error!r}\n")
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
