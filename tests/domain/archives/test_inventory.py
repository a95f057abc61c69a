"""Properties of the comparison of two inventories, stated without using it to check itself."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.archives.inventory import JUDGED_AT_ONCE, Bucket, InventoryEntry, SyncReport, TypeReport, pair
from tarkeep.domain.errors.archives import DuplicateEntry
from tarkeep.domain.identity.archive_id import BackupType

BUCKETS = ("synced", "missing_remote", "extra_remote", "differing", "unverified", "damaged")

types = st.sampled_from(BackupType)
names = st.sampled_from([f"{letter}.tar.gz" for letter in "abcdefgh"])
contents = st.binary(max_size=2)


def entry_of(type: BackupType, name: str, content: bytes, known: str = "both") -> InventoryEntry:
    return InventoryEntry(
        type,
        name,
        len(content),
        hashlib.md5(content).hexdigest() if known in ("both", "md5") else None,
        hashlib.sha256(content).hexdigest() if known in ("both", "sha256") else None,
    )


entries = st.builds(entry_of, types, names, contents, st.sampled_from(["both", "md5", "sha256", "none"]))
complete_entries = st.builds(entry_of, types, names, contents)
stored_entries = st.builds(lambda entry, is_damaged: entry._replace(is_damaged=is_damaged), entries, st.booleans())


def in_order(side: Iterable[InventoryEntry]) -> list[InventoryEntry]:
    return sorted(side, key=lambda entry: (list(BackupType).index(entry.type), entry.name))


def compare(here: Iterable[InventoryEntry], there: Iterable[InventoryEntry]) -> SyncReport:
    return SyncReport.of(pair(in_order(here), in_order(there)))


def sides(entries: st.SearchStrategy[InventoryEntry]) -> st.SearchStrategy[list[InventoryEntry]]:
    return st.lists(entries, max_size=15, unique_by=lambda entry: (entry.type, entry.name))


def buckets(part: TypeReport) -> dict[str, tuple[str, ...]]:
    return {bucket: getattr(part, bucket) for bucket in BUCKETS}


def places(report: SyncReport) -> Counter[tuple[BackupType, str, str]]:
    return Counter(
        (type, name, bucket)
        for type, part in report.types.items()
        for bucket, bucket_names in buckets(part).items()
        for name in bucket_names
    )


@given(sides(stored_entries), sides(entries))
def test_every_name_of_either_side_is_in_exactly_one_bucket(
    here: list[InventoryEntry], there: list[InventoryEntry]
) -> None:
    """No name is lost, invented or counted twice, and the counts are those of the sides."""
    report = compare(here, there)

    found = Counter((type, name) for type, name, _ in places(report).elements())
    assert found == Counter({(entry.type, entry.name) for entry in [*here, *there]})
    for type, part in report.types.items():
        assert part.remote_count == sum(entry.type is type for entry in here)
        assert part.local_count == sum(entry.type is type for entry in there)


@given(sides(stored_entries), sides(entries), st.randoms(use_true_random=False))
def test_order_does_not_matter(here: list[InventoryEntry], there: list[InventoryEntry], random: Random) -> None:
    """Shuffling either side gives the same report."""
    shuffled_here, shuffled_there = list(here), list(there)
    random.shuffle(shuffled_here)
    random.shuffle(shuffled_there)

    assert compare(shuffled_here, shuffled_there) == compare(here, there)


@given(sides(complete_entries))
def test_a_side_compared_with_itself_is_synchronized(side: list[InventoryEntry]) -> None:
    """Every archive with a digest is synced with itself, and nothing is reported."""
    report = compare(side, side)

    assert report.is_synchronized


@given(sides(entries), sides(entries))
def test_swapping_the_sides_mirrors_the_report(here: list[InventoryEntry], there: list[InventoryEntry]) -> None:
    """What is missing one way is extra the other way; the rest stays."""
    report, mirrored = compare(here, there), compare(there, here)

    for type, part in report.types.items():
        expected = evolve(
            part,
            local_count=part.remote_count,
            remote_count=part.local_count,
            missing_remote=part.extra_remote,
            extra_remote=part.missing_remote,
        )
        assert mirrored.types[type] == expected


@given(sides(complete_entries), sides(complete_entries))
def test_applying_the_report_makes_it_clean(here: list[InventoryEntry], there: list[InventoryEntry]) -> None:
    """Sending what is missing, fetching what is extra and replacing what differs leaves both sides the same."""
    report = compare(here, there)
    remote = {(entry.type, entry.name): entry for entry in here}
    local = {(entry.type, entry.name): entry for entry in there}

    for type, part in report.types.items():
        for name in (*part.missing_remote, *part.differing):
            remote[type, name] = local[type, name]
        for name in part.extra_remote:
            local[type, name] = remote[type, name]

    assert compare(remote.values(), local.values()).is_synchronized


@given(sides(complete_entries), st.data())
def test_one_change_moves_one_entry(side: list[InventoryEntry], data: st.DataObject) -> None:
    """Changing the bytes of one archive on one side moves that name alone, from synced to differing."""
    if not side:
        return
    changed = data.draw(st.sampled_from(side))
    other = entry_of(changed.type, changed.name, b"other bytes than any")
    after = [other if entry is changed else entry for entry in side]

    moved = places(compare(side, after))
    moved.subtract(places(compare(side, side)))

    assert {place: count for place, count in moved.items() if count} == {
        (changed.type, changed.name, "synced"): -1,
        (changed.type, changed.name, "differing"): 1,
    }


@given(sides(entries))
def test_without_a_digest_nothing_is_ever_synced(here: list[InventoryEntry]) -> None:
    """A name and a size prove nothing: equal size is unverified."""
    there = [entry._replace(md5=None, sha256=None) for entry in here]

    report = compare(here, there)

    for part in report.types.values():
        assert not part.synced
        assert not part.differing
        assert len(part.unverified) == part.local_count


@given(sides(stored_entries), sides(entries))
def test_an_archive_damaged_on_the_server_is_never_in_sync(
    here: list[InventoryEntry], there: list[InventoryEntry]
) -> None:
    """
    Damage on the server moves a name from synced or unverified to damaged, and no other name.

    Other bytes stay differing, since sending them would be a conflict; names that the client lacks stay extra.
    """
    told, untold = compare(here, there), compare([entry._replace(is_damaged=False) for entry in here], there)
    damaged = {(entry.type, entry.name) for entry in here if entry.is_damaged}

    for type, part in told.types.items():
        before = untold.types[type]
        moved = {name for name in (*before.synced, *before.unverified) if (type, name) in damaged}
        assert set(part.damaged) == moved
        assert set(part.synced) == set(before.synced) - moved
        assert set(part.unverified) == set(before.unverified) - moved
        assert (part.missing_remote, part.extra_remote) == (before.missing_remote, before.extra_remote)
        assert part.differing == before.differing
        assert part.is_synchronized == (before.is_synchronized and not moved)


@given(types, st.lists(names, min_size=2, max_size=2, unique=True), contents)
def test_equal_bytes_under_two_names_stay_two(type: BackupType, two: list[str], content: bytes) -> None:
    """Archives are paired by name: the same bytes under another name are missing, not synced."""
    one, other = (entry_of(type, name, content) for name in two)

    part = compare([one], [other]).types[type]

    assert part.missing_remote == (other.name,)
    assert part.extra_remote == (one.name,)


def test_a_name_given_twice_by_the_client_is_refused() -> None:
    """Neither counts, since choosing one would be a guess."""
    twice = [entry_of(BackupType.INC, "a.tar.gz", content) for content in (b"1", b"2")]

    with pytest.raises(DuplicateEntry) as caught:
        compare([], twice)

    assert (caught.value.side, caught.value.type, caught.value.name) == ("local", BackupType.INC, "a.tar.gz")


@given(entries, st.lists(stored_entries, min_size=1, max_size=4))
def test_of_several_profiles_with_a_name_the_best_counts(mine: InventoryEntry, stored: list[InventoryEntry]) -> None:
    """An undamaged one with the client's bytes makes it synced; else a damaged one with them counts; else the first."""
    stored = [entry._replace(type=mine.type, name=mine.name) for entry in stored]

    (judged,) = pair(stored, [mine])

    alone = [next(pair([entry], [mine])).bucket for entry in stored]
    same = [bucket for bucket, entry in zip(alone, stored, strict=True) if is_known_same(mine, entry)]
    assert judged.names == [mine.name]
    assert judged.bucket == (Bucket.SYNCED if Bucket.SYNCED in same else (*same, alone[0])[0])


def is_known_same(mine: InventoryEntry, theirs: InventoryEntry) -> bool:
    pairs = ((mine.md5, theirs.md5), (mine.sha256, theirs.sha256))
    known = [one == other for one, other in pairs if one is not None and other is not None]
    return bool(known) and all(known) and mine.size_bytes == theirs.size_bytes


def test_millions_of_names_come_in_batches() -> None:
    """No batch is longer than fits into memory; together they are complete and in order."""
    side = [InventoryEntry(BackupType.FULL, f"{number:06}.tar.gz") for number in range(3 * JUDGED_AT_ONCE + 1)]

    batches = list(pair(side, []))

    assert [len(batch.names) for batch in batches] == [JUDGED_AT_ONCE] * 3 + [1]
    assert [name for batch in batches for name in batch.names] == [entry.name for entry in side]


def test_the_same_name_in_two_types_is_two_archives() -> None:
    """A type is part of the identity."""
    full, inc = (entry_of(type, "a.tar.gz", b"same") for type in (BackupType.FULL, BackupType.INC))

    report = compare([full], [inc])

    assert report.types[BackupType.FULL].extra_remote == ("a.tar.gz",)
    assert report.types[BackupType.INC].missing_remote == ("a.tar.gz",)


def test_md5_alone_syncs_and_sha256_overrules_it() -> None:
    """Old clients know MD5 only; where both digests are known, both must agree."""
    stored = entry_of(BackupType.FULL, "a.tar.gz", b"content")
    by_md5 = stored._replace(sha256=None)
    colliding = stored._replace(sha256="0" * 64)

    assert compare([stored], [by_md5]).types[BackupType.FULL].synced == ("a.tar.gz",)
    assert compare([stored], [colliding]).types[BackupType.FULL].differing == ("a.tar.gz",)


def test_another_size_differs_even_without_a_digest() -> None:
    """A size is enough to tell two archives apart."""
    stored = entry_of(BackupType.FULL, "a.tar.gz", b"content")
    longer = InventoryEntry(BackupType.FULL, "a.tar.gz", 8)

    assert compare([stored], [longer]).types[BackupType.FULL].differing == ("a.tar.gz",)


def test_every_bucket_in_which_something_is_wrong_has_words_for_it() -> None:
    """The lines that the original's clients print begin with these words."""
    wrong = set(Bucket) - {Bucket.SYNCED, Bucket.PRUNED}
    assert Bucket.MISSING_REMOTE.issue == "Missing on remote"
    assert len({bucket.issue for bucket in wrong}) == len(wrong)
    assert {bucket for bucket in Bucket if bucket.issue is None} == {Bucket.SYNCED, Bucket.PRUNED}


@given(sides(stored_entries), sides(entries), st.sets(st.integers(0, 20)))
def test_what_was_pruned_is_no_issue_and_moves_no_other_name(
    here: list[InventoryEntry], there: list[InventoryEntry], chosen: set[int]
) -> None:
    """Names that only the client has go from missing to pruned, and nothing else changes."""
    asked: list[InventoryEntry] = []

    def pruned(type: BackupType, some: Sequence[InventoryEntry]) -> set[str]:
        assert {entry.type for entry in some} == {type}
        asked.extend(some)
        return {entry.name for number, entry in enumerate(some) if number in chosen}

    before = SyncReport.of(pair(in_order(here), in_order(there)))
    after = SyncReport.of(pair(in_order(here), in_order(there), pruned))

    for type in BackupType:
        was, now = before.types[type], after.types[type]
        assert set(now.missing_remote) | set(now.pruned) == set(was.missing_remote)
        assert not set(now.missing_remote) & set(now.pruned)
        assert {entry.name for entry in asked if entry.type is type} == set(was.missing_remote)
        assert (now.local_count, now.remote_count) == (was.local_count, was.remote_count)
        for bucket in set(Bucket) - {Bucket.MISSING_REMOTE, Bucket.PRUNED}:
            assert getattr(now, bucket.value) == getattr(was, bucket.value)
    assert after.is_synchronized == all(
        not getattr(after.types[type], bucket.value) for type in BackupType for bucket in Bucket if bucket.issue
    )


@given(sides(stored_entries), sides(entries))
def test_the_place_of_every_name_can_be_looked_up(here: list[InventoryEntry], there: list[InventoryEntry]) -> None:
    """At once, not by searching lists, which a push of a hundred thousand archives would repeat for each."""
    report = compare(here, there)

    assert Counter((*place, bucket.value) for place, bucket in report.places().items()) == places(report)
