"""Finding, reading and comparing stored archives."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.adapters.filesystem.scratch import ScratchFiles
from tarkeep.adapters.memory.catalog import MemoryCatalog
from tarkeep.adapters.process.inventory_sorter import SpillingSorter
from tarkeep.domain.access.tokens import ANONYMOUS, Principal, Scope
from tarkeep.domain.archives.archive import ArchiveState, BackupArchive
from tarkeep.domain.archives.inventory import Bucket, InventoryEntry, SyncReport
from tarkeep.domain.errors.archives import (
    AmbiguousName,
    ArchiveCorrupt,
    ArchiveNotFound,
    DuplicateEntry,
    ProfileNotFound,
)
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.usecases.access.visible import VisibleProfiles
from tarkeep.domain.usecases.reading.verify_inventory import VerifyInventory
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
    """Clients of the original server send no profile when they download."""
    assert memory.tarkeep.find_archive(FULL, "a.tar.gz", principal=ANONYMOUS) == archive
    assert memory.tarkeep.find_archive(FULL, "a.tar.gz", "document", principal=ANONYMOUS) == archive


def test_an_ambiguous_name_names_the_profiles(memory: InMemory, archive: BackupArchive) -> None:
    """An error is better than the archive of the wrong machine."""
    memory.tarkeep.receive(offer(profile="other"), [CONTENT])

    with pytest.raises(AmbiguousName) as caught:
        memory.tarkeep.find_archive(FULL, "a.tar.gz", principal=ANONYMOUS)

    assert caught.value.profiles == ("document", "other")


@pytest.mark.parametrize("profile", [None, "document", "other"])
def test_what_is_not_there_is_not_found(memory: InMemory, profile: str | None) -> None:
    """With or without a profile."""
    with pytest.raises(ArchiveNotFound):
        memory.tarkeep.find_archive(FULL, "a.tar.gz", profile, principal=ANONYMOUS)


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
        memory.tarkeep.read_archive(archive)

    assert memory.catalog.find(archive.id).state is ArchiveState.DAMAGED


def test_a_range_is_read(memory: InMemory, archive: BackupArchive) -> None:
    """Start inclusive, stop exclusive, clipped to the archive."""
    with memory.tarkeep.read_archive(archive, 5, 9) as reader:
        assert b"".join(reader) == CONTENT[5:9]
    with memory.tarkeep.read_archive(archive, len(CONTENT) - 2, len(CONTENT) + 10) as reader:
        assert b"".join(reader) == CONTENT[-2:]


def _given(profile: str | None) -> str | None:
    return profile


def test_verify_covers_one_profile_or_all(memory: InMemory, archive: BackupArchive) -> None:
    """Archives of other profiles are extra only if no profile is named."""
    memory.tarkeep.receive(offer("b.tar.gz", profile="other"), [CONTENT])

    one, all = (
        SyncReport.of(memory.tarkeep.verify([entry(archive)], partial(_given, profile), principal=ANONYMOUS))
        for profile in ("document", None)
    )

    assert one.is_synchronized
    assert all.types[FULL].extra_remote == ("b.tar.gz",)


@pytest.mark.parametrize("profile", [None, "document"])
@pytest.mark.parametrize("kind", ["missing", "length", "digest", None])
def test_verify_says_how_damage_shows_where_that_is_known(
    memory: InMemory, archive: BackupArchive, profile: str | None, kind: str | None
) -> None:
    """Against one profile and against all, and never of what is whole."""
    whole = memory.tarkeep.receive(offer("whole.tar.gz"), [CONTENT]).archive
    if kind == "missing":
        memory.store.remove(archive.id)
    elif kind == "length":
        memory.store.archives[archive.id].content = CONTENT[:-1]
    elif kind == "digest":
        memory.store.archives[archive.id].content = CONTENT[::-1]
    memory.tarkeep.examiner.examine(archive)
    if kind is None:  # found by an older version
        memory.catalog.mark(archive.id, ArchiveState.DAMAGED)

    mine = [entry(archive), entry(whole)]
    report = SyncReport.of(memory.tarkeep.verify(mine, partial(_given, profile), principal=ANONYMOUS))

    assert report.types[FULL].damaged == (archive.id.name,)
    assert report.types[FULL].damage == ({} if kind is None else {archive.id.name: kind})


def test_verify_without_a_profile_takes_the_profile_that_matches(memory: InMemory) -> None:
    """A name in several profiles counts once, and is synced if any of them has the client's bytes."""
    contents = {profile: make_targz({profile: b"x"}) for profile in ("a", "b", "c")}
    stored = {
        profile: memory.tarkeep.receive(offer(profile=profile), [content]).archive
        for profile, content in contents.items()
    }

    for mine in stored.values():
        report = SyncReport.of(memory.tarkeep.verify([entry(mine)], principal=ANONYMOUS))

        assert report.is_synchronized
        assert report.types[FULL].remote_count == 1


def test_verify_without_a_profile_takes_the_copy_that_is_whole(memory: InMemory) -> None:
    """One whole copy of the bytes is enough; they must be sent again only if all copies are damaged."""
    copies = [
        memory.tarkeep.receive(offer(profile=profile), [CONTENT]).archive for profile in ("first", "second", "third")
    ]

    for damaged, archive in enumerate(copies):
        report = SyncReport.of(memory.tarkeep.verify([entry(archive)], principal=ANONYMOUS)).types[archive.id.type]
        assert (report.synced, report.damaged) == ((archive.id.name,), ()), damaged
        memory.catalog.mark(archive.id, ArchiveState.DAMAGED)
    report = SyncReport.of(memory.tarkeep.verify([entry(copies[0])], principal=ANONYMOUS)).types[copies[0].id.type]
    assert (report.synced, report.damaged) == ((), (copies[0].id.name,))


def test_verify_refuses_a_name_given_twice(memory: InMemory, archive: BackupArchive) -> None:
    """The client's mistake is reported; the server does not guess."""
    with pytest.raises(DuplicateEntry):
        list(memory.tarkeep.verify([entry(archive), entry(archive)], principal=ANONYMOUS))


def test_verify_reads_the_catalog_in_batches(memory: InMemory) -> None:
    """More entries than fit into one batch are still compared."""
    archives = [make_archive(f"a{number}.tar.gz") for number in range(25_000)]
    memory.catalog.adopt(archives)

    report = SyncReport.of(memory.tarkeep.verify([entry(archive) for archive in archives[1:]], principal=ANONYMOUS))

    assert report.types[FULL].extra_remote == ("a0.tar.gz",)
    assert len(report.types[FULL].synced) == 24_999


def test_an_unknown_profile_is_not_found(memory: InMemory, archive: BackupArchive) -> None:
    """A profile exists only through its archives."""
    assert memory.tarkeep.summarise_profile("document")[0].archives == 1
    with pytest.raises(ProfileNotFound):
        memory.tarkeep.summarise_profile("nobody")


# -- inventories that do not fit -------------------------------------------------------------------------------------

PROFILES = ("one", "other", "third")
kept = st.tuples(st.sampled_from(PROFILES), st.sampled_from(list(BackupType)), st.integers(0, 12), st.integers(0, 1))
sent = st.tuples(st.sampled_from(list(BackupType)), st.integers(0, 12), st.integers(0, 1))


def drawn_archive(profile: str, type: BackupType, name: int, content: int) -> BackupArchive:
    return make_archive(f"name-{name:02}.tar.gz", profile=profile, type=type, content=b"%d" % content)


@given(
    st.lists(kept, max_size=40, unique_by=lambda drawn: drawn[:3]),
    st.lists(sent, max_size=30, unique_by=lambda drawn: drawn[:2]),
    st.sets(st.integers(0, 39), max_size=10),
    st.sampled_from([None, *PROFILES, "none"]),
    st.sampled_from([("*",), ("o*",), ("one",), ("nobody-*",)]),
    st.integers(1, 4),
)
def test_verify_says_the_same_however_little_is_compared_at_once(
    here: list[tuple[str, BackupType, int, int]],
    there: list[tuple[BackupType, int, int]],
    broken: set[int],
    profile: str | None,
    patterns: tuple[str, ...],
    at_once: int,
) -> None:
    """In steps of a few names, and in runs of one entry, the result equals comparing name by name."""
    catalog = MemoryCatalog()
    catalog.adopt([drawn_archive(*drawn) for drawn in here])
    damaged = {drawn for number, drawn in enumerate(here) if number in broken}
    for drawn in damaged:
        catalog.mark(drawn_archive(*drawn).id, ArchiveState.DAMAGED)
    principal = Principal("t", frozenset(Scope), patterns)
    local = [entry(drawn_archive("any", *drawn)) for drawn in there]

    verify = VerifyInventory(
        catalog, VisibleProfiles(catalog), SpillingSorter(ScratchFiles(None), run_bytes=500), at_once
    )
    report = SyncReport.of(verify(iter(local), lambda: profile, principal=principal))

    seen = [name for name in PROFILES if principal.sees(name) and profile in (None, name)]
    for type in BackupType:
        mine = {name: content for of, name, content in there if of is type}
        theirs: dict[int, list[tuple[bool, bool]]] = {}
        for drawn in here:
            if drawn[1] is type and drawn[0] in seen:
                theirs.setdefault(drawn[2], []).append((drawn[3] == mine.get(drawn[2]), drawn in damaged))
        expected: dict[str, set[int]] = {bucket.value: set() for bucket in Bucket}
        for name in {*mine, *theirs}:
            if name not in theirs:
                expected["missing_remote"].add(name)
            elif name not in mine:
                expected["extra_remote"].add(name)
            elif (True, False) in theirs[name]:
                expected["synced"].add(name)
            else:
                expected["damaged" if (True, True) in theirs[name] else "differing"].add(name)
        part = report.types[type]
        for bucket, names in expected.items():
            assert getattr(part, bucket) == tuple(f"name-{name:02}.tar.gz" for name in sorted(names)), bucket
        assert (part.local_count, part.remote_count) == (len(mine), len(theirs))
