"""A drill restores nothing before a changed byte was found, and reports what ends it."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
from attrs import define, evolve, field

from tarkeep.adapters.gnu_tar.members import TarMembers
from tarkeep.adapters.process.hashing import HashlibHasher
from tarkeep.domain.client.drills.run_drill import RunDrill
from tarkeep.domain.client.ports.drilling import DrillVerdict, DueDrill, RestoredAs, TrialChain
from tarkeep.domain.client.ports.remote import Download
from tarkeep.domain.drills.drill import DrilledArchive, DrillWay
from tarkeep.domain.drills.manifest import ManifestLine
from tarkeep.domain.errors.client import DrillBlind, DrillStopped
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.tar.members import MemberType

RIGHT, WRONG = b"aa" * 32, b"bb" * 32
TOP = ManifestLine(b"", MemberType.DIRECTORY, 0o755, 1)
POINT = ArchiveId("laptop", BackupType.FULL, "a.tar.gz")
TAR = b"the tar of an archive"
PACKED = gzip.compress(TAR)
ARCHIVE = DrilledArchive(POINT, hashlib.sha256(PACKED).hexdigest(), len(PACKED), is_incremental=True)


def a_file(content: bytes) -> ManifestLine:
    return ManifestLine(b"changed", MemberType.FILE, 0o644, 1, 1, content)


class Arriving:
    """A download of *content*."""

    start_bytes = 0

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        yield self._content

    def __enter__(self) -> Arriving:
        return self

    def __exit__(self, *_ended: object) -> None:
        pass


@define
class Room:
    """A `DrillRoom` whose tar is a dictionary; it *loses* what it restores, or is *blind* to what changed."""

    loses: bool = False
    blind: bool = False
    stops: bool = False
    sandbox: str = "trial"
    tar: str = "tar"
    held: list[bytes] = field(factory=list)
    was_opened: bool = False

    @contextmanager
    def opened(self) -> Iterator[None]:
        self.was_opened = True
        yield

    def trial(self) -> TrialChain:
        return TrialChain(b"full", b"inc", b"changed inc", b"changed", (TOP, a_file(RIGHT)))

    def extract(self, blocks: Iterable[bytes], *, incremental: bool, seconds: float) -> tuple[str, ...]:
        tar = b"".join(blocks)
        if self.stops and tar == TAR:
            raise DrillStopped("tar was stopped")
        self.held.append(tar)
        return ()

    def lines(self) -> Iterator[ManifestLine]:
        if not self.loses:
            yield TOP
            yield a_file(WRONG if b"changed inc" in self.held and not self.blind else RIGHT)

    def clear(self) -> None:
        self.held.clear()


@define
class Drills:
    """`RemoteDrills` with one drill, of an archive that arrives as *content*."""

    content: bytes = PACKED
    way: DrillWay = DrillWay.PLAN
    is_due: bool = True
    asked: int = 0
    told: RestoredAs | None = None
    lines: list[ManifestLine] = field(factory=list)

    def due(self, profile: str | None = None) -> DueDrill | None:
        self.asked += 1
        return DueDrill("id", POINT, self.way, (ARCHIVE,), 60) if self.is_due else None

    def archive(self, archive: DrilledArchive) -> Download:
        return Arriving(self.content)

    def merged(self, drill: DueDrill, folder: bytes = b"") -> Download:
        return Arriving(TAR)

    def report(self, drill: DueDrill, restored: RestoredAs, lines: Iterable[ManifestLine]) -> DrillVerdict:
        self.told, self.lines = restored, list(lines)
        return DrillVerdict("drill", POINT, "plan", "equal", "", 1, 1.0, 2, 2, 1, 0.0, 0, (), (), restored.error)

    def recent(self, profile: str | None = None, limit: int = 100) -> list[DrillVerdict]:
        return []


def run(room: Room, drills: Drills) -> DrillVerdict | None:
    return RunDrill(drills, room, TarMembers(), HashlibHasher(), lambda: 0.0)()


@pytest.mark.parametrize("way", list(DrillWay), ids=lambda way: way.value)
def test_what_was_restored_is_reported(way: DrillWay) -> None:
    drills = Drills(way=way)

    assert run(Room(), drills) is not None
    assert drills.told == RestoredAs(0.0, "tar", "trial")
    assert drills.lines == [TOP, a_file(RIGHT)]


@pytest.mark.parametrize("room", [Room(blind=True), Room(loses=True)], ids=["blind", "restores nothing"])
def test_a_machine_that_cannot_tell_right_from_wrong_drills_nothing(room: Room) -> None:
    """It does not even ask what is due."""
    drills = Drills()

    with pytest.raises(DrillBlind):
        run(room, drills)
    assert drills.asked == 0


def test_nothing_is_due() -> None:
    room = Room()

    assert run(room, Drills(is_due=False)) is None
    assert room.was_opened


def test_a_restore_that_was_stopped_is_reported_without_names() -> None:
    drills = Drills()

    run(Room(stops=True), drills)

    assert drills.told is not None
    assert drills.told.error == "tar was stopped"
    assert drills.lines == []


@pytest.mark.parametrize(
    "content",
    [gzip.compress(b"another tar"), PACKED[:-1], evolve(ARCHIVE).sha256.encode()],
    ids=["other bytes", "cut", "no gzip"],
)
def test_an_archive_that_arrives_otherwise_is_no_difference(content: bytes) -> None:
    """The line is to blame, and nothing was judged."""
    drills = Drills(content=content)

    run(Room(), drills)

    assert drills.told is not None
    assert drills.told.error
    assert drills.lines == []
