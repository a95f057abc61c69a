"""Taking stock: an archive is safe only if the server stores the very same bytes undamaged."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.archives.archive import ArchiveState, BackupArchive
from tarkeep.domain.client.ports.local_archives import LocalArchive
from tarkeep.domain.client.ports.memory import UploadNote
from tarkeep.domain.client.status import Safety, age, take_stock
from tarkeep.domain.client.unfinished import unfinished_uploads
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tests.support.archives import NOON, digests_of, make_archive

CONTENT = b"some bytes"
SHA256 = digests_of(CONTENT).sha256


def local(name: str = "a.tar.gz", *, type: BackupType = BackupType.FULL, modified_ns: int = 1) -> LocalArchive:
    return LocalArchive(type, name, len(CONTENT), f"/b/{type.value}/{name}", modified_ns, 1, 1)


@pytest.mark.parametrize(
    ("there", "safety"),
    [
        ([], Safety.MISSING),
        ([make_archive("a.tar.gz", content=CONTENT)], Safety.SAFE),
        ([make_archive("b.tar.gz", content=CONTENT)], Safety.MISSING),
        ([make_archive("a.tar.gz", content=CONTENT, type=BackupType.INC)], Safety.MISSING),
        ([make_archive("a.tar.gz", content=b"some bytez")], Safety.DIFFERING),
        ([evolve(make_archive("a.tar.gz", content=CONTENT), state=ArchiveState.DAMAGED)], Safety.DAMAGED),
        ([evolve(make_archive("a.tar.gz", content=CONTENT), state=ArchiveState.TRASHED)], Safety.DAMAGED),
        (
            [make_archive("a.tar.gz", content=b"x"), make_archive("a.tar.gz", content=CONTENT, profile="other")],
            Safety.SAFE,
        ),
        (
            [
                evolve(make_archive("a.tar.gz", content=CONTENT), state=ArchiveState.DAMAGED),
                make_archive("a.tar.gz", content=CONTENT, profile="other"),
            ],
            Safety.SAFE,
        ),
    ],
    ids=["nothing", "same", "other-name", "other-type", "other-bytes", "damaged", "trashed", "two-profiles", "spare"],
)
def test_what_is_there_decides(there: list[BackupArchive], safety: Safety) -> None:
    """One local archive compared with those of the server."""
    stock = take_stock({local(): SHA256}, there)

    assert stock.having(safety) == [local()]
    assert stock.is_safe == (safety is Safety.SAFE)


def test_what_cannot_be_read_is_not_safe() -> None:
    """Even if the server stores an archive of its name."""
    stock = take_stock({local(): None}, [make_archive("a.tar.gz", content=CONTENT)])

    assert stock.having(Safety.UNREADABLE) == [local()]
    assert not stock.is_safe


def test_nothing_here_is_safe_as_it_is() -> None:
    """Without archives there is nothing to lose."""
    stock = take_stock({}, [make_archive()])

    assert (stock.is_safe, stock.local_count) == (True, 0)
    assert stock.types[BackupType.FULL].stored_count == 1


def test_each_side_has_its_newest() -> None:
    """By modification time here, by receipt on the server."""
    here = [local("a.tar.gz", modified_ns=5), local("b.tar.gz", modified_ns=9), local("c.tar.gz", modified_ns=7)]
    there = [
        make_archive("x.tar.gz", received_at=NOON),
        make_archive("y.tar.gz", received_at=NOON + timedelta(days=1)),
        make_archive("z.tar.gz", received_at=NOON - timedelta(days=1)),
    ]
    full = take_stock(dict.fromkeys(here, SHA256), there).types[BackupType.FULL]

    assert full.newest_local == here[1]
    assert full.newest_stored == there[1]
    assert (full.local_count, full.stored_count, full.count(Safety.MISSING)) == (3, 3, 3)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([CONTENT, b"x"]), st.sampled_from(ArchiveState))))
def test_every_local_archive_is_in_one_state(there: list[tuple[str, bytes, ArchiveState]]) -> None:
    """It is safe exactly if a stored, undamaged archive has its bytes."""
    here = [local(f"{name}.tar.gz") for name in "abc"]
    held = [evolve(make_archive(f"{name}.tar.gz", content=content), state=state) for name, content, state in there]
    stock = take_stock(dict.fromkeys(here, SHA256), held)

    assert sum(len(stock.having(safety)) for safety in Safety) == 3
    for archive in here:
        is_kept = (archive.name[0], CONTENT, ArchiveState.STORED) in there
        assert (archive in stock.having(Safety.SAFE)) == is_kept


def test_an_upload_is_unfinished_while_its_archive_lies_here() -> None:
    """Notes for other sizes or missing archives are ignored; a profile narrows the result."""
    here = local()

    def note(profile: str, name: str = here.name, size_bytes: int = here.size_bytes) -> UploadNote:
        return UploadNote("http://s", ArchiveId(profile, here.type, name), size_bytes, f"http://s/{profile}", "")

    mine, others = note("laptop"), note("other")
    notes = [mine, others, note("laptop", size_bytes=1), note("laptop", "full_gone.tar.gz")]

    assert unfinished_uploads([here], notes, "laptop") == [(here, mine)]
    assert unfinished_uploads([here], notes) == [(here, mine), (here, others)]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-60, "in the future"),
        (-0.5, "just now"),
        (0, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7199, "1 hour ago"),
        (7200, "2 hours ago"),
        (86400, "24 hours ago"),
        (2 * 86400 - 1, "47 hours ago"),
        (2 * 86400, "2 days ago"),
    ],
)
def test_ages_are_written_in_words(seconds: float, words: str) -> None:
    """In the largest unit that is precise enough."""
    assert age(NOON - timedelta(seconds=seconds), NOON) == words
