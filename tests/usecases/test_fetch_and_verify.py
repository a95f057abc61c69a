"""Finding, reading and comparing what is stored."""

from __future__ import annotations

import pytest

from tarkeep.domain.archives import ArchiveState, BackupArchive, BackupType
from tarkeep.domain.errors import AmbiguousName, ArchiveCorrupt, ArchiveNotFound, DuplicateEntry, ProfileNotFound
from tarkeep.domain.sync import InventoryEntry
from tests.support.archives import make_archive, make_targz
from tests.support.assembled import InMemory, offer

CONTENT = make_targz()
FULL = BackupType.FULL


@pytest.fixture
def memory() -> InMemory:
    return InMemory()


@pytest.fixture
def archive(memory: InMemory) -> BackupArchive:
    return memory.tarkeep.receive(offer(), [CONTENT]).archive


def entry(archive: BackupArchive) -> InventoryEntry:
    return InventoryEntry(archive.id.type, archive.id.name, archive.size_bytes, archive.digests.md5)


def test_an_archive_is_found_without_its_profile_when_only_one_has_it(memory: InMemory, archive: BackupArchive) -> None:
    """The original's clients know nothing of profiles when they download."""
    assert memory.tarkeep.find(FULL, "a.tar.gz") == archive
    assert memory.tarkeep.find(FULL, "a.tar.gz", "document") == archive


def test_an_ambiguous_name_names_the_profiles(memory: InMemory, archive: BackupArchive) -> None:
    """Rather than the wrong machine's archive, none."""
    memory.tarkeep.receive(offer(profile="other"), [CONTENT])

    with pytest.raises(AmbiguousName) as caught:
        memory.tarkeep.find(FULL, "a.tar.gz")

    assert caught.value.profiles == ("document", "other")


@pytest.mark.parametrize("profile", [None, "document", "other"])
def test_what_is_not_there_is_not_found(memory: InMemory, profile: str | None) -> None:
    """Whether or not a profile is named."""
    with pytest.raises(ArchiveNotFound):
        memory.tarkeep.find(FULL, "a.tar.gz", profile)


@pytest.mark.parametrize("harm", ["lost", "cut", "grown"])
def test_bytes_that_are_not_what_they_were_are_not_given_out(
    memory: InMemory, archive: BackupArchive, harm: str
) -> None:
    """The archive is marked damaged, so that lists and the next reader know."""
    if harm == "lost":
        memory.store.remove(archive.id)
    else:
        memory.store.archives[archive.id].content = CONTENT[:-1] if harm == "cut" else CONTENT + b"\0"

    with pytest.raises(ArchiveCorrupt):
        memory.tarkeep.read(archive)

    assert memory.catalog.find(archive.id).state is ArchiveState.DAMAGED


def test_a_range_is_read(memory: InMemory, archive: BackupArchive) -> None:
    """Start inclusive, stop exclusive, clipped to the archive."""
    with memory.tarkeep.read(archive, 5, 9) as reader:
        assert b"".join(reader) == CONTENT[5:9]
    with memory.tarkeep.read(archive, len(CONTENT) - 2, len(CONTENT) + 10) as reader:
        assert b"".join(reader) == CONTENT[-2:]


def test_verify_covers_one_profile_or_all(memory: InMemory, archive: BackupArchive) -> None:
    """What other profiles hold is extra only when no profile is named."""
    memory.tarkeep.receive(offer("b.tar.gz", profile="other"), [CONTENT])

    one, all = (memory.tarkeep.verify([entry(archive)], profile) for profile in ("document", None))

    assert one.is_synchronized
    assert all.types[FULL].extra_remote == ("b.tar.gz",)


def test_verify_without_a_profile_takes_the_profile_that_matches(memory: InMemory) -> None:
    """A name that several profiles hold counts once, synced when any of them has the client's bytes."""
    contents = {profile: make_targz({profile: b"x"}) for profile in ("a", "b", "c")}
    stored = {
        profile: memory.tarkeep.receive(offer(profile=profile), [content]).archive
        for profile, content in contents.items()
    }

    for mine in stored.values():
        report = memory.tarkeep.verify([entry(mine)])

        assert report.is_synchronized
        assert report.types[FULL].remote_count == 1


def test_verify_without_a_profile_takes_the_copy_that_is_whole(memory: InMemory) -> None:
    """Of the same bytes in several profiles one is enough; only where all are damaged they must be sent again."""
    copies = [
        memory.tarkeep.receive(offer(profile=profile), [CONTENT]).archive for profile in ("first", "second", "third")
    ]

    for damaged, archive in enumerate(copies):
        report = memory.tarkeep.verify([entry(archive)]).types[archive.id.type]
        assert (report.synced, report.damaged) == ((archive.id.name,), ()), damaged
        memory.catalog.mark(archive.id, ArchiveState.DAMAGED)
    report = memory.tarkeep.verify([entry(copies[0])]).types[copies[0].id.type]
    assert (report.synced, report.damaged) == ((), (copies[0].id.name,))


def test_verify_refuses_a_name_given_twice(memory: InMemory, archive: BackupArchive) -> None:
    """The client's mistake is said, not guessed around."""
    with pytest.raises(DuplicateEntry):
        memory.tarkeep.verify([entry(archive), entry(archive)])


def test_verify_reads_the_catalog_in_batches(memory: InMemory) -> None:
    """More entries than one batch holds are compared all the same."""
    archives = [make_archive(f"a{number}.tar.gz") for number in range(25_000)]
    memory.catalog.adopt(archives)

    report = memory.tarkeep.verify([entry(archive) for archive in archives[1:]])

    assert report.types[FULL].extra_remote == ("a0.tar.gz",)
    assert len(report.types[FULL].synced) == 24_999


def test_an_unknown_profile_is_not_found(memory: InMemory, archive: BackupArchive) -> None:
    """A profile exists through what it holds."""
    assert memory.tarkeep.summarise.profile("document")[0].archives == 1
    with pytest.raises(ProfileNotFound):
        memory.tarkeep.summarise.profile("nobody")
