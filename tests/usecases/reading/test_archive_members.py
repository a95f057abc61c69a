"""Members of stored archives: recorded on arrival, made again if lost, never from other bytes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve

from tarkeep.adapters.memory.member_records import MemoryMemberRecords
from tarkeep.adapters.records.record_files import FilesystemMemberRecords
from tarkeep.adapters.targz.inspector import InspectionLimits, NoInspector, TargzInspector
from tarkeep.domain.archives.archive import BackupArchive
from tarkeep.domain.errors.archives import ArchiveCorrupt, NameConflict, RecordsMissing
from tarkeep.domain.errors.content import ExpandsTooFar, NotATar, UploadInterrupted
from tarkeep.domain.errors.restoring import TreeTooLarge
from tarkeep.domain.identity.invalid import DigestMismatch
from tarkeep.domain.tar.members import MemberRecord
from tarkeep.domain.tar.read_headers import read_member
from tarkeep.domain.usecases.reading.archive_members import ArchiveMembers
from tarkeep.domain.usecases.receiving.outcome import ReceiveOutcome, SameName
from tarkeep.domain.usecases.receiving.receive import ReceiveArchive
from tests.contracts.member_records import night, told
from tests.support.archives import digests_of, make_targz
from tests.support.assembled import InMemory, cut_off, offer, pieces
from tests.support.clocks import SequenceIds
from tests.support.faulty import RecordsThatCannotBeKept
from tests.support.tars import END, gz, header, member

CONTENT = make_targz({"document/a": b"a", "document/b": b"b" * 700})
OTHER = make_targz({"other.txt": b"other\n"})
NESTED = gz(b"".join(header(b"d%d/" % n, type=b"5") + member(b"d%d/f" % n, b"f") for n in range(3_000)) + END)


@pytest.fixture
def memory() -> InMemory:
    return InMemory()


def paths(records: list[MemberRecord]) -> list[bytes]:
    return [read_member(record).path for record in records]


def held(memory: InMemory) -> set[str]:
    return set(memory.records.published)


# -- while they arrive -----------------------------------------------------------------------------------------------


def test_members_are_recorded_while_an_archive_arrives(memory: InMemory) -> None:
    """When the client has its answer, the records exist, under the digest of the archive."""
    archive = memory.tarkeep.receive(offer(), pieces(CONTENT)).archive

    assert paths(list(memory.records.read(archive.digests.sha256))) == [b"document/a", b"document/b"]


def test_a_stored_archive_knows_its_roots(memory: InMemory) -> None:
    """And whether its listings have unchanged names; side-car and catalog agree."""
    dump = gz(header(b"./", 7, b"D") + b"Nname\0\0".ljust(512, b"\0") + member(b"\xff/x") + END)

    archive = memory.tarkeep.receive(offer(), [dump]).archive

    assert archive.contents is not None
    assert (archive.contents.has_unchanged, archive.contents.roots) == (True, (".", "\\xff"))
    assert memory.catalog.find(archive.id) == archive
    memory.tarkeep.rebuild()
    assert memory.catalog.find(archive.id) == archive


def test_what_is_refused_leaves_no_records(memory: InMemory) -> None:
    """For bytes that are no tar, cut off, different from the declaration, or under a taken name."""
    memory.tarkeep.receive(offer(), pieces(CONTENT))
    refused = {
        NotATar: (offer("b.tar.gz"), pieces(gz(member(b"f", b"x") * 20))),
        UploadInterrupted: (offer("b.tar.gz"), cut_off(OTHER, 90)),
        DigestMismatch: (offer("b.tar.gz", md5="0" * 32), pieces(OTHER)),
        NameConflict: (offer(), pieces(OTHER)),
    }

    for error, (said, blocks) in refused.items():
        with pytest.raises(error):
            memory.tarkeep.receive(said, blocks)

    assert held(memory) == {digests_of(CONTENT).sha256}


def test_an_archive_kept_beside_another_has_records(memory: InMemory) -> None:
    """Under the name that it finally gets."""
    memory.same_name = SameName.KEEP_BOTH
    memory.tarkeep.receive(offer(), pieces(CONTENT))

    received = memory.tarkeep.receive(offer(), pieces(OTHER))

    assert received.outcome is ReceiveOutcome.KEPT_BOTH
    assert held(memory) == {digests_of(CONTENT).sha256, digests_of(OTHER).sha256}


def test_records_that_cannot_be_kept_are_no_reason_to_refuse(memory: InMemory) -> None:
    """The archive is stored; only looking into it costs more later."""
    memory.records = RecordsThatCannotBeKept()

    received = memory.tarkeep.receive(offer(), pieces(CONTENT))

    assert received.outcome is ReceiveOutcome.NEW
    assert paths(list(memory.tarkeep.members.of(received.archive))) == [b"document/a", b"document/b"]


def uninspected(memory: InMemory) -> ReceiveArchive:
    """A receive that inspects nothing."""
    receive = memory.tarkeep.receive
    return evolve(receive, begin_intake=evolve(receive.begin_intake, inspector=NoInspector()))


def test_without_validation_nothing_is_recorded(memory: InMemory) -> None:
    """The archive was not inspected; it must not look like one without members."""
    receive = uninspected(memory)

    archive = receive(offer(), pieces(CONTENT)).archive

    assert archive.contents is None
    assert held(memory) == set()
    assert paths(list(memory.tarkeep.members.of(archive))) == [b"document/a", b"document/b"]


# -- made again ------------------------------------------------------------------------------------------------------


@pytest.fixture
def archive(memory: InMemory) -> BackupArchive:
    archive = memory.tarkeep.receive(offer(), pieces(NESTED)).archive
    assert len(list(memory.records.read(archive.digests.sha256))) == 6_000
    return archive


@pytest.mark.parametrize("directories_only", [False, True])
def test_records_that_are_gone_are_made_from_the_archive(
    memory: InMemory, archive: BackupArchive, directories_only: bool
) -> None:
    """They are equal, and are kept from then on."""
    before = list(memory.records.read(archive.digests.sha256, directories_only=directories_only))
    memory.records.remove(archive.digests.sha256)

    made = list(memory.tarkeep.members.of(archive, directories_only=directories_only))

    assert made == before
    assert len(made) == (3_000 if directories_only else 6_000)
    assert list(memory.records.read(archive.digests.sha256, directories_only=directories_only)) == before


@pytest.mark.parametrize("directories_only", [False, True])
def test_records_that_cannot_be_kept_are_passed_on(
    memory: InMemory, archive: BackupArchive, directories_only: bool
) -> None:
    """With a full disk, clients can still look into an archive."""
    before = list(memory.records.read(archive.digests.sha256, directories_only=directories_only))
    memory.records = RecordsThatCannotBeKept()

    assert list(memory.tarkeep.members.of(archive, directories_only=directories_only)) == before


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone", "another"])
def test_nothing_is_made_of_damaged_bytes(memory: InMemory, archive: BackupArchive, damage: str) -> None:
    """Nor of the bytes of another archive in its place; the error says that the archive is damaged."""
    memory.records.remove(archive.digests.sha256)
    stored = memory.store.archives[archive.id]
    if damage == "flipped":
        stored.content = stored.content[:500] + bytes([stored.content[500] ^ 1]) + stored.content[501:]
    elif damage == "cut":
        stored.content = stored.content[:-1]
    elif damage == "gone":
        memory.store.remove(archive.id)
    else:
        stored.content = CONTENT.ljust(len(NESTED), b"\0")

    with pytest.raises(ArchiveCorrupt):
        memory.tarkeep.members.of(archive)

    assert held(memory) == set()


def test_an_archive_that_is_no_tar_says_so(memory: InMemory) -> None:
    """It was received without inspection, and its bytes are as received."""
    receive = uninspected(memory)
    archive = receive(offer(), pieces(gz(b"text" * 300))).archive

    with pytest.raises(NotATar):
        memory.tarkeep.members.of(archive)

    assert held(memory) == set()


def test_limits_hold_for_stored_archives(memory: InMemory, archive: BackupArchive) -> None:
    """The limits may be lower than when it arrived."""
    limited = ArchiveMembers(
        MemoryMemberRecords(),
        memory.tarkeep.read_archive,
        TargzInspector(limits=InspectionLimits(max_members=10)),
    )

    with pytest.raises(ExpandsTooFar):
        limited.of(archive)


def test_more_names_than_can_be_held_are_refused_before_anything_is_read(
    memory: InMemory, archive: BackupArchive
) -> None:
    """The number of members of an archive is known."""
    limited = ArchiveMembers(
        MemoryMemberRecords(), memory.tarkeep.read_archive, TargzInspector(), max_names_bytes=6_000 * 20 - 1
    )
    memory.store.remove(archive.id)

    with pytest.raises(TreeTooLarge):
        limited.table(archive)


def test_records_of_an_uninspected_archive_stay_missing(memory: InMemory, archive: BackupArchive) -> None:
    """The cache alone never invents members of an archive."""
    with pytest.raises(RecordsMissing):
        memory.records.read(digests_of(OTHER).sha256)


def test_names_are_made_again_where_they_are_gone(memory: InMemory) -> None:
    """If they cannot be kept, they are read from the bytes of the archive."""
    archive = memory.tarkeep.receive(offer(), pieces(NESTED)).archive
    members = memory.tarkeep.restore_tar.members
    found = told(members.table(archive))
    assert len(found) == 6_000
    memory.records.remove(archive.digests.sha256)

    assert told(members.table(archive)) == found
    assert held(memory) == {archive.digests.sha256}
    unkept = evolve(members, records=RecordsThatCannotBeKept())
    assert told(unkept.table(archive)) == found


@pytest.mark.parametrize("whose", ["own", "base"])
def test_a_reader_that_meets_damaged_records_makes_them_anew(memory: InMemory, tmp_path: Path, whose: str) -> None:
    """For damage anywhere and any query, also in records that they refer to. The results are the same."""
    memory.records = FilesystemMemberRecords(tmp_path, SequenceIds())  # type: ignore[assignment]
    nights = [night(number, 60) for number in range(2)]
    base, archive = (
        memory.tarkeep.receive(
            offer(f"a{number}.tar.gz"), pieces(gz(b"".join(record.headers for record in records) + END))
        ).archive
        for number, records in enumerate(nights)
    )
    looks: list[Callable[[ArchiveMembers], object]] = [
        lambda members: list(members.of(archive)),
        lambda members: list(members.of(archive, directories_only=True, start=9_000)),
        lambda members: list(members.at(archive, positions)),
        lambda members: members.again(lambda: told(members.table(archive, base))),
        lambda members: members.footprint(archive),
    ]
    positions = [record.at for record in memory.tarkeep.members.of(archive)][::7]
    members = memory.tarkeep.members
    members.table(base)
    members.table(archive, base)
    damaged = {"own": archive, "base": base}[whose].digests.sha256
    file = tmp_path / damaged[:2] / damaged
    as_they_were = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    expected = [look(members) for look in looks]

    draw = random.Random(1)
    for number, place in enumerate(draw.choices(range(len(as_they_were[file])), k=40)):
        for path, content in as_they_were.items():
            path.write_bytes(content)
        rotten = bytearray(as_they_were[file])
        rotten[place] ^= 1 << place % 8
        file.write_bytes(rotten)
        memory.records = FilesystemMemberRecords(tmp_path, SequenceIds())  # type: ignore[assignment]
        which = number % len(looks)
        assert looks[which](memory.tarkeep.members) == expected[which]
