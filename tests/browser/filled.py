"""Servers for the pages: an empty one, an ordinary one with all that goes wrong, and a huge one."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from attrs import define, field, frozen

from tarkeep.domain.access.tokens import Scope
from tarkeep.domain.archives.archive import Lineage, Offer
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.host import Tokens, open_tokens
from tarkeep.entrypoints.wiring.server import open_tarkeep
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.archives import make_targz
from tests.support.harm import flip
from tests.support.histories import History
from tests.support.server import LiveServer, live_server

FULL, INC, DIFF = BackupType
NIGHT = timedelta(days=1)
NIGHTS = 10
REPORTS = {night: f"report of night {night}\n" for night in (0, 3, 8)}
"""What ``root/report.txt`` of the laptop holds from that night on, of `NIGHTS`."""

RULES = """\
["db-*".retention]
keep_daily = 7

[laptop.retention]
keep_daily = 4
keep_weekly = 2
minimum_age = "1d"
minimum_points = 2
"""


@frozen
class Site:
    """A running server; *laptop* are the archives of that profile, the oldest first."""

    server: LiveServer
    tokens: Tokens
    laptop: tuple[ArchiveId, ...] = ()

    @property
    def url(self) -> str:
        return self.server.url

    def make_token(self, *scopes: Scope, profiles: tuple[str, ...] = ("*",)) -> str:
        """The text of a new token; with every scope if none is given."""
        return self.tokens.make(frozenset(scopes or Scope), profiles).text


@contextmanager
def empty_site(place: Path) -> Iterator[Site]:
    """Nothing was sent yet."""
    with served(place / "data") as site:
        yield site


@contextmanager
def ordinary_site(place: Path) -> Iterator[Site]:
    """
    ``laptop`` is fine, with `NIGHTS`; ``web-3`` has a damaged INC; of ``db-1`` half of the files vanished at once;
    ``late`` should have come for days; ``alone`` is an INC whose FULL never came; ``mail`` has one archive.
    """
    data, now = place / "data", datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    data.mkdir(mode=0o700)
    (data / "profiles.toml").write_text(RULES)
    with open_tarkeep(StorageSettings(data=data, reserve_bytes=0)) as tarkeep:

        def machine(profile: str, nights: int) -> Machine:
            (place / profile).mkdir()
            return Machine(tarkeep, profile, History(place / profile), nights, now)

        laptop = _work(machine("laptop", NIGHTS))
        damaged = _files_come(machine("web-3", 4))[-1]
        _files_vanish(machine("db-1", 4))
        alone = machine("alone", 2)
        (alone.history.root / "file").write_text("in the FULL alone\n")
        alone.night(FULL, is_sent=False)
        alone.night(INC)
        for days in range(4, 16):
            send(tarkeep, ArchiveId("late", FULL, f"{days}.tar.gz"), now - days * NIGHT)
        send(tarkeep, ArchiveId("mail", FULL, "only.tar.gz"), now)
    flip(data / "archives" / damaged.profile / damaged.type.value / damaged.name)
    with served(data, tuple(laptop)) as site:
        with site.server.client() as client:
            headers = {"Authorization": f"Bearer {site.make_token(Scope.PULL)}"}
            client.get(f"/api/v1/profiles/{damaged.profile}/restore.tar", headers=headers)  # which finds the damage
        yield site


@contextmanager
def huge_site(place: Path, profiles: int = 400) -> Iterator[Site]:
    """Many profiles, one of which has a year of archives, and a folder of thousands of names."""
    data, now = place / "data", datetime.now(UTC) - timedelta(hours=1)
    data.mkdir(mode=0o700)
    with open_tarkeep(StorageSettings(data=data, reserve_bytes=0)) as tarkeep:
        for number in range(profiles):
            send(tarkeep, ArchiveId(f"machine-{number:03}", FULL, "a.tar.gz"), now - (number % 30) * NIGHT)
        for days in range(360, -1, -1):
            send(tarkeep, ArchiveId("laptop", FULL, f"night-{days}.tar.gz"), now - days * NIGHT)
        names = {f"root/folder/name {number}.txt": b"x\n" for number in range(3000)}
        id = ArchiveId("wide", FULL, "wide.tar.gz")
        tarkeep.receive(Offer(id), [make_targz(names)])
    with served(data) as site:
        yield site


@define
class Machine:
    """A machine that dumps its directory with GNU tar, in so many *nights* up to *now*."""

    tarkeep: Tarkeep
    profile: str
    history: History
    nights: int
    now: datetime
    sent: list[ArchiveId] = field(factory=list)
    _done: int = 0
    _before: str | None = None

    def night(self, type: BackupType, name: str = "", *, is_sent: bool = True) -> None:
        """Dump, and send, by a *name* or one with the time in it. A FULL begins anew."""
        self._done += 1
        at = self.now - (self.nights - self._done) * NIGHT
        snapshot = self.history.place / "snapshot"
        if type is FULL:
            snapshot.unlink(missing_ok=True)
            self._before = None
        content = gzip.compress(self.history.dump("dump.tar", snapshot, posix=False).read_bytes(), 6, mtime=0)
        after = hashlib.sha256(snapshot.read_bytes()).hexdigest()
        if is_sent:
            id = ArchiveId(self.profile, type, name or f"{type.value.lower()}_{at:%Y-%m-%d_%H-%M-%S}.tar.gz")
            lineage = Lineage(None, self._before, after)
            self.tarkeep.receive(Offer(id, taken_at=at, received_at=at, lineage=lineage), [content])
            self.sent.append(id)
        self._before = after


def _work(machine: Machine) -> list[ArchiveId]:
    """A report is rewritten, a letter is written each night, and a file is removed in the fifth."""
    root = machine.history.root
    (root / "letters").mkdir()
    (root / "letters" / "one.txt").write_text("Dear Sir\n")
    (root / "gone.txt").write_text("not for long\n")
    (root / os.fsdecode(b"odd & \xff <b>.txt")).write_text("odd\n")
    (root / ("a long name " * 15 + ".txt")).write_text("long\n")
    for night in range(machine.nights):
        if night in REPORTS:
            (root / "report.txt").write_text(REPORTS[night])
        if night == 5:
            (root / "gone.txt").unlink()
        (root / "letters" / f"night {night}.txt").write_text(f"{night}\n")
        machine.night(FULL if night in (0, 7) else INC)
    return machine.sent


def _files_come(machine: Machine) -> list[ArchiveId]:
    for night in range(machine.nights):
        (machine.history.root / f"page-{night}.html").write_text(f"{night}\n" * 100)
        machine.night(INC if night else FULL)
    return machine.sent


def _files_vanish(machine: Machine) -> None:
    """Half of the files, all at once, in the last night."""
    tables = [machine.history.root / f"table-{number}" for number in range(300)]
    for table in tables:
        table.write_text(f"{table.name}\n")
    for night in range(machine.nights):
        (machine.history.root / f"journal-{night}").write_text(f"{night}\n")
        if night == machine.nights - 1:
            for table in tables[:160]:
                table.unlink()
        machine.night(INC if night else FULL)


def send(tarkeep: Tarkeep, id: ArchiveId, at: datetime) -> None:
    content = make_targz({"file": f"{id}\n".encode()}, mtime=int(at.timestamp()))
    tarkeep.receive(Offer(id, taken_at=at, received_at=at), [content])


@contextmanager
def served(data: Path, laptop: tuple[ArchiveId, ...] = ()) -> Iterator[Site]:
    with live_server(data) as server:
        yield Site(server, open_tokens(StorageSettings(data=data)), laptop)
