"""Archives that arrive by every route at once until the storage is gone, and what must be there afterwards."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from threading import Event

import httpx2
from attrs import define, field

from tarkeep.adapters.filesystem.audit_log import FileAuditLog
from tests.faults.forked import ForkedServer
from tests.faults.sites import Attempt, attempt, send_again
from tests.faults.ways import WAYS, Way


@define
class Told:
    """
    The archives sent to a server: those it *acknowledged*, and those whose fate is *unknown* since its end.

    *unlogged* are archives for which the server's own log says that the log of writes could not be written, and those
    that were answered after *is_over*, which is set just before the storage ends: a machine without power would not
    have sent that answer.
    """

    acknowledged: list[Attempt] = field(factory=list)
    unknown: list[Attempt] = field(factory=list)
    unlogged: set[str] = field(factory=set)
    is_over: Event = field(factory=Event)

    def send_until_it_fails(
        self, server: ForkedServer, seed: int, when_taken: Callable[[], None] = lambda: None
    ) -> None:
        """
        Send by all routes at once, on each one archive after the other until one is refused.

        *when_taken* is called after each accepted archive.
        """
        self.is_over.clear()

        def send(way: Way) -> Told:
            return _send(server, way, Random(f"{seed} {way.word}"), when_taken, self.is_over)

        with ThreadPoolExecutor(len(WAYS)) as senders:
            for told in senders.map(send, WAYS):
                self.acknowledged += told.acknowledged
                self.unknown += told.unknown
                self.unlogged |= told.unlogged
        self.unlogged.update(re.findall(r"not in the audit log .*what=(\S+)", server.log.read_text()))

    def check(self, client: httpx2.Client, data: Path, random: Random) -> None:
        """
        Nothing is lost, incomplete or left over; unknown archives are accepted now, and the log has a line for each.

        Of the archives that were checked before, some that *random* picks are checked again.
        """
        assert lost(client, self.acknowledged[-10:]) == []
        assert lost(client, random.sample(self.acknowledged, min(5, len(self.acknowledged)))) == []
        assert half_there(client, data, self.unknown) == []
        uploads = {path.stem for path in (data / "staging").glob("*.upload")}
        assert [path.name for path in (data / "staging").iterdir() if path.stem not in uploads] == []
        for tried in self.unknown:
            answer = send_again(client, tried)
            assert answer.is_success, (tried, answer.text)
        assert lost(client, self.unknown) == []
        self.acknowledged += self.unknown
        self.unknown.clear()
        told = [tried for tried in self.acknowledged if f"{tried.profile}/FULL/{tried.name}" not in self.unlogged]
        assert not_logged(data, told) == []


def lost(client: httpx2.Client, acknowledged: list[Attempt]) -> list[Attempt]:
    """The archives that are missing or changed."""
    return [tried for tried in acknowledged if tried.stored(client) != tried.content]


def not_logged(data: Path, acknowledged: list[Attempt]) -> list[Attempt]:
    """The archives without a line in the log of writes; its lines verify, except torn ones."""
    lines = (data / "audit.log").read_bytes().splitlines() if acknowledged else []
    report = FileAuditLog(data).check()
    assert report.is_whole, (report, lines[(report.broken or report.forged or 1) - 1])
    logged = {line["sha256"] for line in map(_read, lines)}
    return [tried for tried in acknowledged if hashlib.sha256(tried.content).hexdigest() not in logged]


def _read(line: bytes) -> dict[str, str | None]:
    try:
        read: dict[str, str | None] = json.loads(line)
    except ValueError:
        return {"sha256": None}
    return read


def half_there(client: httpx2.Client, data: Path, unknown: list[Attempt]) -> list[Attempt]:
    """The archives that are neither whole, with a side-car, nor gone without a trace."""
    whole, gone = [], []
    for tried in unknown:
        stored, files = tried.stored(client), tried.files(data)
        whole += [tried] if stored == tried.content and files == [tried.name, f"{tried.name}.json"] else []
        gone += [tried] if stored is None and files == [] else []
    return [tried for tried in unknown if tried not in whole and tried not in gone]


def _send(server: ForkedServer, way: Way, random: Random, when_taken: Callable[[], None], is_over: Event) -> Told:
    told = Told()
    with server.client() as client:
        while True:
            try:
                tried = attempt(client, way, random.randrange(100, 60_000))
            except (AssertionError, httpx2.TransportError):
                return told  # not even begun
            try:
                was_taken = tried.send(client).is_success
            except httpx2.TransportError:
                was_taken = False
            (told.acknowledged if was_taken else told.unknown).append(tried)
            if is_over.is_set():
                told.unlogged.add(f"{tried.profile}/FULL/{tried.name}")
            if not was_taken:
                return told
            when_taken()
