"""Particulars of the seek indexes: the positions of their places, and that each works with each engine."""

from __future__ import annotations

import gzip
import io
import random
import zlib
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tarkeep.adapters.targz.deflate import InflateEngine, IsalInflater, ZlibInflater, begun_inside
from tarkeep.adapters.targz.gzip_stream import GzipStream
from tarkeep.adapters.targz.seek_index import MAX_POINTS, SeekIndex, write_index
from tarkeep.domain.errors.content import GzipDamaged
from tests.support.archives import digests_of

ENGINES = [IsalInflater, ZlibInflater]
MIB = 1 << 20
SPACING_BYTES = 40_000


def _text(length: int) -> bytes:
    rng = random.Random(5)
    words = [rng.randbytes(rng.randrange(1, 9)).hex().encode() for _ in range(3_000)]
    return b" ".join(rng.choices(words, k=length // 5))[:length]


TEXT = _text(4 * MIB)


def indexed(content: bytes, spacing_bytes: int = SPACING_BYTES) -> SeekIndex:
    def read_from(start: int) -> Iterator[bytes]:
        yield from (content[at : at + 70_000] for at in range(start, len(content), 70_000))

    file = io.BytesIO()
    sha256 = digests_of(content).sha256
    write_index(read_from, len(content), sha256, file, spacing_bytes=spacing_bytes)
    return SeekIndex.read(file, sha256)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stream_goes_on_at_any_bit(engine: InflateEngine) -> None:
    """Blocks begin at every bit of a byte, and what follows a place is what follows it in the whole."""
    content = gzip.compress(TEXT, mtime=0)
    index = indexed(content)
    for point in index.points[1:]:
        byte, bit = divmod(point.bit, 8)
        stream = GzipStream(engine, begun_inside(engine, index.window(point), bit, content[byte]))

        found = b"".join(stream.inflate(memoryview(content)[byte + bool(bit) :]))
        stream.finish()

        assert found == TEXT[point.at :]
    assert {point.bit % 8 for point in index.points} == set(range(8))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_member_after_one_begun_inside_is_checked_again(engine: InflateEngine) -> None:
    """Only the member that was begun in its middle cannot be checked."""
    first, second = gzip.compress(TEXT, mtime=0), gzip.compress(b"second", mtime=0)
    index = indexed(first)
    point = index.points[-1]
    byte, bit = divmod(point.bit, 8)
    stream = GzipStream(engine, begun_inside(engine, index.window(point), bit, first[byte]))
    damaged = second[:-8] + bytes(8)

    with pytest.raises(GzipDamaged, match="the CRC does not match"):
        list(stream.inflate(memoryview(first[byte + bool(bit) :] + damaged)))


def test_places_are_near_each_other() -> None:
    """From everywhere the last place before is at most a few stretches away, in one member and in long ones."""
    for content in (
        gzip.compress(TEXT, mtime=0),
        b"".join(gzip.compress(TEXT[at : at + 700_000]) for at in range(0, len(TEXT), 700_000)),
    ):
        index = indexed(content)
        ats = [point.at for point in index.points]

        assert max(b - a for a, b in pairwise([*ats, len(TEXT)])) <= 4 * SPACING_BYTES
        assert [index.place_before(at) for at in ats] == list(range(len(ats)))
        assert index.end_of(len(ats) - 1) == index.unpacked_bytes == len(TEXT)


def test_every_stretch_has_its_checksum() -> None:
    """The CRC-32 of a place is that of the inflated bytes up to the next."""
    index = indexed(gzip.compress(TEXT, mtime=0))

    for place, point in enumerate(index.points):
        assert point.crc == zlib.crc32(TEXT[point.at : index.end_of(place)])


def test_short_members_need_no_windows() -> None:
    """If members are short, their beginnings serve, far enough from each other."""
    content = b"".join(gzip.compress(TEXT[at : at + 7_000], mtime=0) for at in range(0, len(TEXT), 7_000))

    index = indexed(content)

    assert not any(point.window_bytes for point in index.points)
    assert all(b.at - a.at >= SPACING_BYTES for a, b in pairwise(index.points))
    for point in index.points:
        assert content[point.bit // 8 :].startswith(b"\x1f\x8b\x08")


def test_so_many_members_are_not_given_to_the_library() -> None:
    """A million of them would be a million places in its memory; without places reading is merely slow."""
    text = TEXT[:400_000]
    content = gzip.compress(b"", mtime=0) * 11_000 + gzip.compress(text, mtime=0)

    index = indexed(content)

    assert [point.at for point in index.points] == [0]


def test_the_number_of_places_is_bounded() -> None:
    """The longer the archive, the further apart they are."""
    content = b"".join(gzip.compress(TEXT[at : at + 500], mtime=0) for at in range(0, len(TEXT), 500))

    index = indexed(content, spacing_bytes=1_000)

    assert MAX_POINTS // 2 < len(index.points) <= 2 * MAX_POINTS
