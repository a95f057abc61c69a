"""
Damage of every kind, to everything that is kept of an archive, on a real disk: all of it is found, and nothing else.

Each harm is done to archives of its own, in a store in which most archives are whole.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen

from tarkeep.domain.archives.archive import ArchiveState, BackupArchive, Offer
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.jobs.job import JobReport
from tarkeep.domain.scrubbing.findings import ScrubbedPart, ScrubVerdict
from tarkeep.domain.usecases.jobs.ask_for_scrub import SCRUB
from tarkeep.domain.usecases.scrubbing.scrub_archive import Scrubbed
from tarkeep.domain.usecases.scrubbing.scrub_archives import ScrubArchives
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.server import open_tarkeep
from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tests.support.archives import SNAPSHOT, make_targz

EACH = 10
WHOLE = 100

SUFFIXES = {
    ScrubbedPart.BYTES: "",
    ScrubbedPart.SIDECAR: ".json",
    ScrubbedPart.SNAPSHOT: ".snar",
    ScrubbedPart.MARKS: ".marks",
}


def _flip(file: Path, other: Path, drawn: random.Random) -> None:
    content = bytearray(file.read_bytes())
    content[drawn.randrange(len(content))] ^= 1 << drawn.randrange(8)
    _write(file, bytes(content))


def _cut(file: Path, other: Path, drawn: random.Random) -> None:
    _write(file, file.read_bytes()[: drawn.randrange(file.stat().st_size)])


def _zero(file: Path, other: Path, drawn: random.Random) -> None:
    content = bytearray(file.read_bytes())
    start = drawn.randrange(len(content) - 1)
    stop = drawn.randrange(start + 1, len(content))
    content[start:stop] = bytes(stop - start)
    if bytes(content) == file.read_bytes():  # there were zeros already
        content[:] = bytes(len(content))
    _write(file, bytes(content))


def _swap(file: Path, other: Path, drawn: random.Random) -> None:
    one, another = file.read_bytes(), other.read_bytes()
    _write(file, another)
    _write(other, one)


def _lose(file: Path, other: Path, drawn: random.Random) -> None:
    file.unlink()


def _write(file: Path, content: bytes) -> None:
    file.chmod(0o600)
    file.write_bytes(content)


HARMS: dict[str, Callable[[Path, Path, random.Random], None]] = {
    "flip": _flip,
    "cut": _cut,
    "zero": _zero,
    "swap": _swap,
    "lose": _lose,
}


@frozen
class Server:
    """A data directory, opened."""

    data: Path
    tarkeep: Tarkeep

    @property
    def job(self) -> ScrubArchives:
        work = next(job.work for job in self.tarkeep.run_due_jobs.jobs if job.name == SCRUB)
        assert isinstance(work, ScrubArchives)
        return work

    def put(self, name: str) -> BackupArchive:
        """An archive with a snapshot file and a hold; each has bytes of its own."""
        id = ArchiveId("web", BackupType.FULL, f"{name}.tar.gz")
        archive = self.tarkeep.receive(Offer(id), [make_targz({f"{name}.txt": name.encode() * 100})]).archive
        self.tarkeep.keep_snapshot(id, [SNAPSHOT + name.encode()])
        self.tarkeep.make_hold(id, "audit", f"the audit of {name}")
        return archive

    def file(self, id: ArchiveId, part: ScrubbedPart) -> Path:
        return self.data / "archives" / id.profile / id.type.value / (id.name + SUFFIXES[part])

    def scrub_all(self) -> JobReport:
        self.job.table.want()
        return self.job(lambda: True)

    def scrub(self, id: ArchiveId) -> Scrubbed:
        scrubbed = self.job.scrub(self.job.table.find(id), lambda: True)
        assert scrubbed is not None
        return scrubbed


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    settings = StorageSettings(data=tmp_path / "data", reserve_bytes=0)
    with open_tarkeep(settings) as tarkeep:
        yield Server(tmp_path / "data", tarkeep)


def test_every_harm_is_found_and_none_is_invented(server: Server) -> None:
    drawn = random.Random(20261130)
    whole = [server.put(f"whole-{number}").id for number in range(WHOLE)]
    places = [(part, harm, number) for part in SUFFIXES for harm in HARMS for number in range(EACH)]
    harmed = {}
    for part, harm, number in places:
        name = f"{part.name}-{harm}-{number}"
        harmed[part, harm, number] = server.put(name).id, server.put(f"other-{name}").id
    first = server.scrub_all()
    assert first.problems == ()
    assert first.counts["checked"] == WHOLE + 2 * len(harmed)

    for (part, harm, _), (id, other) in harmed.items():
        HARMS[harm](server.file(id, part), server.file(other, part), drawn)

    for (part, harm, number), (id, _) in harmed.items():
        found = server.scrub(id).findings
        assert [one.part for one in found] == [part], (part, harm, number, found)
        assert found[0].verdict is not ScrubVerdict.UNSTABLE
        is_damaged = server.tarkeep.list_archives.catalog.find(id).state is ArchiveState.DAMAGED
        assert is_damaged == (part is ScrubbedPart.BYTES)
    assert [server.scrub(id).findings for id in whole] == [()] * WHOLE
    assert len(harmed) == 200
