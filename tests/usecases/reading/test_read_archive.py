"""Rot is never served as good: every byte given is what was received, or an error is reported."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from attrs import evolve

from tarkeep.domain.archives.archive import ArchiveState, BackupArchive
from tarkeep.domain.archives.block_sums import BLOCK_BYTES, BlockSums
from tarkeep.domain.errors.archives import ArchiveCorrupt
from tarkeep.domain.errors.capacity import BackendUnavailable
from tarkeep.domain.errors.content import GzipDamaged
from tarkeep.domain.identity.digests import Digests
from tarkeep.domain.ports.store import ArchiveReader
from tarkeep.domain.usecases.reading.read_archive import wrong_block
from tests.support.archives import make_targz
from tests.support.assembled import MAX_BYTES, InMemory, offer

SMALL = make_targz({"small": b"x" * 300})
LARGE = make_targz({"noise": random.Random(1).randbytes(3 * BLOCK_BYTES)})
EDGES = (0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 2 * BLOCK_BYTES, len(LARGE) - 1, len(LARGE))

assert len(LARGE) < MAX_BYTES


@pytest.fixture
def memory() -> InMemory:
    return InMemory()


def put(memory: InMemory, content: bytes) -> BackupArchive:
    return memory.tarkeep.receive(offer(), [content]).archive


def rot(memory: InMemory, archive: BackupArchive, change: Callable[[bytes], bytes]) -> None:
    held = memory.store.archives[archive.id]
    held.content = change(held.content)


def flip(position: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :]


def given_by(reader: ArchiveReader) -> Iterator[bytes]:
    with reader:
        yield from reader


def state(memory: InMemory, archive: BackupArchive) -> ArchiveState:
    return memory.catalog.find(archive.id).state


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("has_sums", [True, False])
def test_every_range_comes_back_as_it_was(memory: InMemory, content: bytes, has_sums: bool) -> None:
    """Whole or in part, for any range; for clients and for code that looks inside; no notice is sent."""
    archive = put(memory, content)
    read = memory.tarkeep.read_archive
    for start in EDGES:
        for stop in (*EDGES, None):
            if start <= len(content) and (stop is None or start <= stop <= len(content)):
                for opened in (read, partial(read, sums_first=True)):
                    if not has_sums:
                        memory.sums.kept.clear()
                    reader = opened(archive, start, stop)
                    wanted = content[start:stop]
                    assert reader.size_bytes == len(wanted)
                    assert b"".join(given_by(reader)) == wanted
    assert memory.notices.told == []


@pytest.mark.parametrize("position", sorted({0, 20, BLOCK_BYTES - 1, BLOCK_BYTES, len(LARGE) // 2, len(LARGE) - 1}))
@pytest.mark.parametrize("has_sums", [True, False])
def test_one_flipped_bit_is_in_no_whole_answer(memory: InMemory, position: int, has_sums: bool) -> None:
    """
    With sums not even in a part of an answer; it is found at once, marked, and reported once with place or digest.
    """
    archive = put(memory, LARGE)
    rot(memory, archive, flip(position))
    if not has_sums:
        memory.sums.kept.clear()

    given: list[bytes] = []
    with pytest.raises(ArchiveCorrupt):
        given.extend(given_by(memory.tarkeep.read_archive(archive)))
    if has_sums:
        assert LARGE.startswith(b"".join(given))
    assert sum(map(len, given)) < len(LARGE)
    assert state(memory, archive) is ArchiveState.DAMAGED
    assert [id for id, _ in memory.notices.told] == [str(archive.id)]
    with pytest.raises(ArchiveCorrupt):
        list(given_by(memory.tarkeep.read_archive(archive)))
    with pytest.raises(ArchiveCorrupt):
        memory.tarkeep.read_archive(memory.catalog.find(archive.id))
    assert len(memory.notices.told) == 1


@pytest.mark.parametrize("has_sums", [True, False])
def test_what_looks_inside_is_given_nothing_wrong(memory: InMemory, has_sums: bool) -> None:
    """For damage and parts anywhere; with sums, an undamaged part is still given."""
    rng = random.Random(2)
    archive = put(memory, LARGE)
    sums = dict(memory.sums.kept)
    for _ in range(60):
        memory.catalog.mark(archive.id, ArchiveState.STORED)
        memory.sums.kept = dict(sums) if has_sums else {}
        position = rng.randrange(len(LARGE))
        start = rng.choice((*EDGES[:-1], rng.randrange(len(LARGE))))
        stop = rng.randrange(start, len(LARGE)) + 1
        memory.store.archives[archive.id].content = flip(position)(LARGE)
        given = b""
        try:
            for block in given_by(memory.tarkeep.read_archive(archive, start, stop, sums_first=True)):
                given += block
        except ArchiveCorrupt:
            assert state(memory, archive) is ArchiveState.DAMAGED
            assert LARGE[start:].startswith(given)
            assert len(given) < stop - start
        else:
            assert given == LARGE[start:stop]
            assert has_sums


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("has_sums", [True, False])
@pytest.mark.parametrize("how", ["lost", "emptied", "cut", "grown", "zeroed", "another"])
def test_every_kind_of_rot_is_found(memory: InMemory, content: bytes, has_sums: bool, how: str) -> None:
    """By a full read, and, if the archive has sums, by reading a damaged part."""
    archive = put(memory, content)
    if not has_sums:
        memory.sums.kept.clear()
    changes: dict[str, Callable[[bytes], bytes]] = {
        "emptied": lambda _: b"",
        "cut": lambda whole: whole[:-1],
        "grown": lambda whole: whole + b"\0",
        "zeroed": lambda whole: bytes(512) + whole[512:],
        "another": lambda whole: bytes(reversed(whole)),
    }
    if how == "lost":
        del memory.store.archives[archive.id]
    else:
        rot(memory, archive, changes[how])

    with pytest.raises(ArchiveCorrupt):
        list(given_by(memory.tarkeep.read_archive(archive)))
    assert state(memory, archive) is ArchiveState.DAMAGED
    assert len(memory.notices.told) == 1


def test_sums_are_made_again_where_they_are_lost(memory: InMemory) -> None:
    """By a full read, a read of a part, and a look inside; sums for another length are ignored."""
    archive = put(memory, LARGE)
    sha256 = archive.digests.sha256
    made = memory.sums.kept.pop(sha256)
    list(given_by(memory.tarkeep.read_archive(archive, 5)))
    assert memory.sums.kept.pop(sha256) == made
    list(given_by(memory.tarkeep.read_archive(archive)))
    assert memory.sums.kept.pop(sha256) == made
    list(given_by(memory.tarkeep.read_archive(archive, 5, 6, sums_first=True)))
    assert memory.sums.kept.pop(sha256) == made
    memory.sums.kept[sha256] = BlockSums(5, bytes(4))
    assert b"".join(given_by(memory.tarkeep.read_archive(archive))) == LARGE
    assert memory.sums.kept[sha256] == made


def test_a_small_archive_needs_no_sums(memory: InMemory) -> None:
    """It is hashed as a whole before any byte is given, even for a part."""
    archive = put(memory, SMALL)
    assert memory.sums.kept == {}
    rot(memory, archive, flip(len(SMALL) - 1))

    with pytest.raises(ArchiveCorrupt):
        memory.tarkeep.read_archive(archive, 0, 1)


def test_what_was_repaired_while_it_was_read_is_not_marked(memory: InMemory) -> None:
    """A reader of the old bytes is told to try again; a block that is wrong a second time is damage."""
    archive = put(memory, LARGE)
    sums = memory.sums.kept[archive.digests.sha256]

    assert isinstance(wrong_block(memory.tarkeep.read_archive, archive, sums, 2), BackendUnavailable)
    assert (state(memory, archive), memory.notices.told) == (ArchiveState.STORED, [])
    rot(memory, archive, flip(2 * BLOCK_BYTES))
    assert isinstance(wrong_block(memory.tarkeep.read_archive, archive, sums, 2), ArchiveCorrupt)
    assert memory.notices.told == [(str(archive.id), "its bytes 524288 to 786431 are not what was received")]


# -- examining -------------------------------------------------------------------------------------------------------


def test_what_was_marked_and_is_whole_is_whole_again(memory: InMemory) -> None:
    """As after a loose cable; it is reported once."""
    archive = put(memory, LARGE)
    memory.catalog.mark(archive.id, ArchiveState.DAMAGED)

    assert memory.tarkeep.examiner.examine(archive) is ArchiveState.STORED
    assert memory.tarkeep.examiner.examine(archive) is ArchiveState.STORED
    assert state(memory, archive) is ArchiveState.STORED
    assert memory.notices.told == [(str(archive.id), "whole")]


@pytest.mark.parametrize(
    ("digests", "expected", "words"),
    [
        (lambda right: Digests("0" * 32, right.sha256), ArchiveState.STORED, "the MD5 on record is wrong"),
        (lambda right: Digests(right.md5, "0" * 64), ArchiveState.DAMAGED, "the SHA-256 on record is wrong"),
        (lambda _: Digests("0" * 32, "0" * 64), ArchiveState.DAMAGED, "its bytes are not what was received"),
    ],
)
def test_a_wrong_record_is_told_from_wrong_bytes(
    memory: InMemory, digests: Callable[[Digests], Digests], expected: ArchiveState, words: str
) -> None:
    """One agreeing digest proves the bytes, so the other digest is wrong; a rebuild mends the record."""
    archive = put(memory, LARGE)
    wrong = evolve(archive, digests=digests(archive.digests))
    memory.catalog.replace([wrong])

    assert memory.tarkeep.examiner.examine(wrong) is expected
    assert [(id, what.startswith(words)) for id, what in memory.notices.told] == [(str(archive.id), True)]


@pytest.mark.parametrize(
    "error", [ValueError("bad header"), KeyError("x"), GzipDamaged(5, "CRC"), ArchiveCorrupt(offer().id)]
)
@pytest.mark.parametrize("is_rotten", [True, False])
def test_whatever_a_reader_meets_the_bytes_are_asked(memory: InMemory, error: Exception, is_rotten: bool) -> None:
    """
    Rotten bytes are marked and reported, whatever the error; for whole ones the error passes, or asks for a retry.
    """
    archive = put(memory, LARGE)
    if is_rotten:
        rot(memory, archive, flip(99))

    with pytest.raises(Exception) as caught, memory.tarkeep.examiner.watching(archive):  # noqa: PT011
        raise error

    if is_rotten:
        assert isinstance(caught.value, ArchiveCorrupt)
        assert state(memory, archive) is ArchiveState.DAMAGED
        assert len(memory.notices.told) == 1
    else:
        assert caught.value is error or isinstance(caught.value, BackendUnavailable)
        assert not isinstance(caught.value, ArchiveCorrupt)
        assert memory.notices.told == []


def test_what_is_not_about_bytes_is_left_alone(memory: InMemory) -> None:
    """A full disk says nothing about an archive, so the archive is not read again."""
    archive = put(memory, LARGE)
    rot(memory, archive, flip(99))

    with pytest.raises(BackendUnavailable), memory.tarkeep.examiner.watching(archive):
        raise BackendUnavailable("catalog")

    assert memory.notices.told == []
