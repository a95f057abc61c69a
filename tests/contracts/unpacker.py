"""
What every `Unpacker` promises.

A test module runs the contract for an adapter by subclassing it with a fixture ``door``: an unpacker that makes an
index after reads beyond the first 64 KiB, over a store, with back doors to both. The archives are made by Python's own
zlib.
"""

from __future__ import annotations

import gzip
import random
import threading
import tracemalloc
import zlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tarkeep.domain.archives.archive import ArchiveState, BackupArchive, Contents, Kind
from tarkeep.domain.errors.archives import ArchiveCorrupt
from tarkeep.domain.errors.content import NotAGzip
from tarkeep.domain.ports.unpacking import Unpacker
from tests.support.archives import make_archive
from tests.support.pieces import made
from tests.support.store_doors import StoreDoor
from tests.support.tars import zeros_targz

MIB = 1 << 20
PIECE_BYTES = 512 << 10
FAR_BYTES = 64 << 10
SPACING_BYTES = 100_000
INHERITED = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture],
)


class UnpackerDoor(Protocol):
    """What the contract needs in addition to the unpacker. *opened* are the positions at which archives were opened."""

    @property
    def unpacker(self) -> Unpacker: ...

    @property
    def store(self) -> StoreDoor: ...

    @property
    def opened(self) -> list[int]: ...

    def settle(self) -> None:
        """Return when no background work is left."""

    def index_of(self, archive: BackupArchive) -> bytes | None:
        """The kept index of *archive*."""

    def put_index(self, archive: BackupArchive, content: bytes) -> None:
        """Replace the kept index of *archive* by *content*."""

    def put_nowhere(self) -> None:
        """Make it impossible to keep an index, if that is possible."""

    def indexes(self) -> int:
        """The number of indexes, including unfinished ones."""

    def endless(self, content: bytes) -> threading.Event:
        """
        From now on archives continue with *content* without end; the event tells that one is read in the background.
        """


def _text(length: int, seed: int = 1) -> bytes:
    rng = random.Random(seed)
    words = [rng.randbytes(5).hex().encode() for _ in range(2_000)]
    return b" ".join(rng.choices(words, k=length // 11 + 1))[:length]


TEXT = _text(3 * MIB)


def _members(content: bytes, length: int) -> bytes:
    return b"".join(gzip.compress(content[at : at + length], mtime=0) for at in range(0, len(content), length))


def _flushed(content: bytes) -> bytes:
    """Like pigz: one member, cut into pieces that begin at a byte but still refer back."""
    deflate = zlib.compressobj(wbits=31)
    parts = [
        part
        for at in range(0, len(content), 128 << 10)
        for part in (deflate.compress(content[at : at + (128 << 10)]), deflate.flush(zlib.Z_SYNC_FLUSH))
    ]
    return b"".join([*parts, deflate.flush()])


def _stored(content: bytes) -> bytes:
    deflate = zlib.compressobj(0, wbits=31)
    return deflate.compress(content) + deflate.flush()


SHAPES: dict[str, bytes] = {
    "one member": gzip.compress(TEXT, mtime=0),
    "as pigz writes it": _flushed(TEXT),
    "stored": _stored(TEXT),
    "short members": _members(TEXT, 50_000),
    "tiny members": _members(TEXT, 400),
    "long members": _members(TEXT, 1_000_000),
    "short and long": _members(TEXT[:600_000], 9_999) + gzip.compress(TEXT[600_000:], mtime=0),
    "empty members between": b"".join(
        gzip.compress(b"") * 3 + gzip.compress(TEXT[at : at + 70_000], mtime=0) for at in range(0, len(TEXT), 70_000)
    ),
    "zeros behind": gzip.compress(TEXT, mtime=0) + bytes(10_000),
    "noise inside": gzip.compress(
        TEXT[:MIB] + random.Random(2).randbytes(MIB - 4_096) + TEXT[2 * MIB - 4_096 :], mtime=0
    ),
}
UNPACKED = {name: gzip.decompress(content) for name, content in SHAPES.items()}


def store(door: UnpackerDoor, content: bytes, name: str = "a.tar.gz") -> BackupArchive:
    archive = make_archive(name, content=content)
    with door.store.store.begin() as writer:
        writer.write(content)
        writer.seal(b"{}")
        writer.publish(archive.id)
    return archive


def read(door: UnpackerDoor, archive: BackupArchive, start: int, stop: int) -> bytes:
    with door.unpacker.open(archive) as unpacked:
        return b"".join(unpacked.read(start, stop))


def through(door: UnpackerDoor, archive: BackupArchive) -> bytes:
    with door.unpacker.open(archive) as unpacked:
        return b"".join(made(unpacked.through()))


def indexed(door: UnpackerDoor, content: bytes, name: str = "a.tar.gz") -> BackupArchive:
    """An archive that was read far from its beginning, and therefore has an index."""
    archive = store(door, content, name)
    read(door, archive, FAR_BYTES + 1, FAR_BYTES + 2)
    door.settle()
    assert door.index_of(archive) is not None
    return archive


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :]


def counted(pieces: Iterator[bytes], seen: list[bytes]) -> None:
    for piece in pieces:
        seen.append(piece)


def spread(length: int, count: int) -> Sequence[int]:
    return range(length // (2 * count), length, length // count)


class UnpackerContract:
    # -- whole ---------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("shape", SHAPES)
    def test_everything_is_given_in_order(self, door: UnpackerDoor, shape: str) -> None:
        """For any kind of gzip, its inflated bytes come whole and in pieces of bounded length."""
        archive = store(door, SHAPES[shape])

        with door.unpacker.open(archive) as unpacked:
            pieces = list(made(unpacked.through()))

        assert b"".join(pieces) == UNPACKED[shape]
        assert max(map(len, pieces)) <= PIECE_BYTES

    @pytest.mark.parametrize("shape", SHAPES)
    def test_going_through_may_begin_anywhere(self, door: UnpackerDoor, shape: str) -> None:
        """Without an index, which a start far into the archive has made, and with it."""
        archive, whole = store(door, SHAPES[shape]), UNPACKED[shape]
        starts = (0, 1, FAR_BYTES - 1, FAR_BYTES, SPACING_BYTES + 7, len(whole) // 2, len(whole) - 1, len(whole))

        for _ in range(2):
            for start in starts:
                with door.unpacker.open(archive) as unpacked:
                    pieces = list(made(unpacked.through(start)))
                assert b"".join(pieces) == whole[start:]
                assert max(map(len, pieces), default=0) <= PIECE_BYTES
            door.settle()
            assert door.index_of(archive) is not None

    def test_going_through_from_far_behind_finds_damage_there(self, door: UnpackerDoor) -> None:
        """Also with the index, and for a file that is cut."""
        content = SHAPES["one member"]
        archive = indexed(door, content)
        start = len(TEXT) // 2
        for damaged in (flipped(content, len(content) * 3 // 4), content[:-1], content[: len(content) * 3 // 4]):
            door.store.change(archive.id, damaged)
            with door.unpacker.open(archive) as unpacked, pytest.raises(ArchiveCorrupt):
                list(unpacked.through(start))
            door.store.change(archive.id, content)
            read(door, archive, FAR_BYTES + 1, FAR_BYTES + 2)  # the index was dropped, as it might have been the cause
            door.settle()

    @pytest.mark.parametrize("shape", ["one member", "short members", "zeros behind"])
    def test_a_cut_file_never_ends_cleanly(self, door: UnpackerDoor, shape: str) -> None:
        """Also if it is cut between two members, and for any rest of the padding."""
        content = SHAPES[shape]
        archive = store(door, content)
        first = len(gzip.compress(TEXT[:50_000], mtime=0))
        for size in (len(content) - 1, len(content) - 9_000, len(content) // 2, first, 1, 0):
            door.store.shorten(archive.id, size)
            with pytest.raises(ArchiveCorrupt):
                through(door, archive)

    @pytest.mark.parametrize("shape", ["one member", "short members", "stored"])
    def test_a_flipped_bit_never_ends_cleanly(self, door: UnpackerDoor, shape: str) -> None:
        """For any bit, the check of its gzip member finds it, after fewer bytes than the whole."""
        content = SHAPES[shape]
        archive = store(door, content)
        for place in (*spread(len(content), 12), len(content) - 8, len(content) - 1):
            door.store.change(archive.id, flipped(content, place))
            seen: list[bytes] = []
            with door.unpacker.open(archive) as unpacked, pytest.raises(ArchiveCorrupt) as caught:
                counted(made(unpacked.through()), seen)

            assert caught.value.id == archive.id
            assert sum(map(len, seen)) < len(TEXT)

    def test_bytes_behind_the_end_are_damage(self, door: UnpackerDoor) -> None:
        """A file that has grown is not as stored, even by zeros, which gzip allows."""
        archive = store(door, SHAPES["one member"])
        for more in (b"x", bytes(512)):
            door.store.change(archive.id, SHAPES["one member"] + more)
            with pytest.raises(ArchiveCorrupt):
                through(door, archive)

    @pytest.mark.parametrize("missing", [1, 8, 9, 1_000])
    def test_a_gzip_without_its_end_never_ends_cleanly(self, door: UnpackerDoor, missing: int) -> None:
        """Even though the file is exactly as stored: the receiver did not inspect it, or its record is not credible."""
        archive = store(door, SHAPES["one member"][:-missing])

        with pytest.raises(ArchiveCorrupt):
            through(door, archive)

    def test_a_missing_file_is_damage(self, door: UnpackerDoor) -> None:
        """An archive in the catalog without a file in the store is lost."""
        with pytest.raises(ArchiveCorrupt):
            through(door, make_archive(content=SHAPES["one member"]))

    def test_a_damaged_archive_is_not_opened(self, door: UnpackerDoor) -> None:
        """A known damaged archive is not even tried."""
        archive = evolve(store(door, SHAPES["one member"]), state=ArchiveState.DAMAGED)

        with pytest.raises(ArchiveCorrupt):
            door.unpacker.open(archive)

    @pytest.mark.parametrize("contents", [None, Contents(Kind.OPAQUE, members=0, unpacked_bytes=0)])
    def test_what_was_never_a_gzip_is_not_called_damaged(self, door: UnpackerDoor, contents: Contents | None) -> None:
        """For an uninspected or encrypted archive, nothing says that it should inflate."""
        archive = evolve(store(door, b"encrypted" * 1_000), contents=contents)

        with pytest.raises(NotAGzip):
            through(door, archive)
        with pytest.raises(NotAGzip):
            read(door, archive, 10, 20)

    def test_memory_is_bounded(self, door: UnpackerDoor) -> None:
        """A thousandfold expansion passes through the limited number of pieces made ahead."""
        archive = store(door, zeros_targz(160 * MIB))

        tracemalloc.start()
        try:
            with door.unpacker.open(archive) as unpacked:
                total = sum(map(len, made(unpacked.through())))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert total == 160 * MIB
        assert peak < 48 * MIB

    # -- ranges --------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("has_index", [False, True])
    @pytest.mark.parametrize("shape", SHAPES)
    def test_a_range_is_a_slice(self, door: UnpackerDoor, shape: str, has_index: bool) -> None:
        """For any start and stop, with an index and without."""
        make = indexed if has_index else store
        archive = make(door, SHAPES[shape])
        length = len(TEXT)
        edges = [0, 1, SPACING_BYTES, length // 3, length // 2 + 7, length - 70_001, length - 1, length, length + 5]
        for number, start in enumerate(edges):
            for stop in (start, start + 1, start + 99_999, start + 700_000, *edges[number:]):
                if start + 700_000 < stop and start not in (0, length // 3):
                    continue
                assert read(door, archive, start, stop) == UNPACKED[shape][start:stop]

    @given(start=st.integers(0, 3 * MIB), length=st.integers(0, 300_000))
    @INHERITED
    def test_any_range_by_an_index_is_a_slice(self, door: UnpackerDoor, start: int, length: int) -> None:
        """For one member, with places at any bit of a byte."""
        archive = self._indexed_once(door)

        assert read(door, archive, start, start + length) == TEXT[start : start + length]

    def test_several_ranges_of_one_opening(self, door: UnpackerDoor) -> None:
        """An opened archive may be read repeatedly, even if the iterator before was left half-way."""
        archive = indexed(door, SHAPES["one member"])

        with door.unpacker.open(archive) as unpacked:
            next(unpacked.through())
            next(unpacked.read(2_000_000, 2_900_000))
            found = [b"".join(unpacked.read(at, at + 10)) for at in (2_500_000, 7, 1_000_000)]

        assert found == [TEXT[at : at + 10] for at in (2_500_000, 7, 1_000_000)]

    def test_nothing_stays_open(self, door: UnpackerDoor) -> None:
        """Leaving the context closes the archive, even if a half-read iterator still exists."""
        archive = indexed(door, SHAPES["one member"])
        with door.unpacker.open(archive) as unpacked:
            half_way = unpacked.read(1_000_000, 2_900_000)
            next(half_way)

        assert door.store.open_files() == 0
        assert list(half_way) == []

    # -- indexes -------------------------------------------------------------------------------------------------------

    def test_reading_far_makes_an_index(self, door: UnpackerDoor) -> None:
        """The first read inflates everything before; the next one begins near its start."""
        archive = store(door, SHAPES["one member"])

        read(door, archive, len(TEXT) - 10, len(TEXT))
        door.settle()
        first = list(door.opened)
        door.opened.clear()
        read(door, archive, len(TEXT) - 10, len(TEXT))

        assert first[0] == 0
        assert len(door.opened) == 1
        assert door.opened[0] > archive.size_bytes * 8 // 10

    def test_reading_near_the_beginning_makes_none(self, door: UnpackerDoor) -> None:
        """Positions that are reached quickly are not worth an index."""
        archive = store(door, SHAPES["one member"])

        read(door, archive, FAR_BYTES - 1, len(TEXT))
        through(door, archive)
        door.settle()

        assert door.indexes() == 0

    @pytest.mark.parametrize("shape", ["one member", "short members", "stored"])
    def test_a_read_with_an_index_finds_damage(self, door: UnpackerDoor, shape: str) -> None:
        """A range is either right, or ends in an error with fewer bytes than requested."""
        content = SHAPES[shape]
        index = door.index_of(indexed(door, content))
        archive = make_archive("a.tar.gz", content=content)
        assert index is not None
        for place in spread(len(content), 8):
            door.store.change(archive.id, flipped(content, place))
            wrong = 0
            for start in range(0, len(TEXT), 260_000):
                door.put_index(archive, index)
                seen: list[bytes] = []
                wanted = TEXT[start : start + 260_000]
                with door.unpacker.open(archive) as unpacked:
                    try:
                        counted(unpacked.read(start, start + 260_000), seen)
                    except ArchiveCorrupt:
                        wrong += 1
                        assert sum(map(len, seen)) < len(wanted)
                    else:
                        assert b"".join(seen) == wanted

            assert 1 <= wrong <= 3, "only reads near the damage meet it"

    @pytest.mark.parametrize("has_index", [False, True])
    def test_a_file_cut_before_the_range_is_damage(self, door: UnpackerDoor, has_index: bool) -> None:
        """Fewer bytes than requested never come with a clean end."""
        make = indexed if has_index else store
        archive = make(door, SHAPES["one member"])
        door.store.shorten(archive.id, archive.size_bytes // 2)

        with pytest.raises(ArchiveCorrupt):
            read(door, archive, len(TEXT) - 100, len(TEXT))

    def test_a_damaged_archive_gets_no_index(self, door: UnpackerDoor) -> None:
        """An index is made only of bytes that are known to be right."""
        content = SHAPES["one member"]
        archive = store(door, content)
        door.store.change(archive.id, flipped(content, len(content) - 100))

        assert read(door, archive, 1_000_000, 1_000_100) == TEXT[1_000_000:1_000_100]
        door.settle()

        assert door.indexes() == 0

    def test_a_torn_or_damaged_index_is_not_used(self, door: UnpackerDoor) -> None:
        """Whatever is missing or wrong, the right bytes are given, and the index is made anew."""
        archive = indexed(door, SHAPES["one member"])
        whole = door.index_of(archive)
        assert whole is not None
        size = len(whole)
        torn = [whole[:stop] for stop in (0, 1, 60, size // 2, size - 1)]
        torn += [bytes(size), whole + b"x", whole[: size // 2] + bytes(size - size // 2)]
        torn += [flipped(whole, place) for place in (*spread(size, 12), *range(size - 96, size, 7))]
        for index in torn:
            door.put_index(archive, index)

            assert read(door, archive, 2_500_000, 2_500_100) == TEXT[2_500_000:2_500_100]

            door.settle()
        assert door.index_of(archive) is not None
        assert read(door, archive, 2_500_000, 2_500_100) == TEXT[2_500_000:2_500_100]

    def test_the_index_of_another_archive_is_not_used(self, door: UnpackerDoor) -> None:
        """An index names its archive."""
        other = indexed(door, gzip.compress(_text(2 * MIB, seed=9), mtime=0), "other.tar.gz")
        archive = store(door, SHAPES["one member"])
        index = door.index_of(other)
        assert index is not None
        door.put_index(archive, index)

        assert read(door, archive, 1_500_000, 1_500_100) == TEXT[1_500_000:1_500_100]

        door.settle()
        assert door.index_of(archive) != index

    def test_without_a_place_for_indexes_everything_works(self, door: UnpackerDoor) -> None:
        """An index only affects speed."""
        door.put_nowhere()
        archive = store(door, SHAPES["one member"])
        for _ in range(2):
            assert read(door, archive, 2_500_000, 2_500_100) == TEXT[2_500_000:2_500_100]
            door.settle()

    def test_closing_cancels_what_goes_on(self, door: UnpackerDoor) -> None:
        """An index that would never be finished is dropped, and its thread ended."""
        archive = store(door, SHAPES["as pigz writes it"])
        deflate = zlib.compressobj(wbits=-15)
        works = door.endless(deflate.compress(TEXT[:MIB]) + deflate.flush(zlib.Z_FULL_FLUSH))
        before = set(threading.enumerate())
        read(door, archive, 100_000, 100_100)
        assert works.wait(60)

        door.unpacker.close()
        door.unpacker.close()

        assert set(threading.enumerate()) <= before
        assert door.indexes() == 0

    def _indexed_once(self, door: UnpackerDoor) -> BackupArchive:
        archive = make_archive("once.tar.gz", content=SHAPES["one member"])
        if door.index_of(archive) is None:
            indexed(door, SHAPES["one member"], "once.tar.gz")
        return archive
