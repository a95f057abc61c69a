"""The walk over tar headers: cut at any place it sees the same, and what it skips it does not look at."""

from __future__ import annotations

import tarfile
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tarkeep.adapters.tar_walk import InspectionLimits, TarWalk
from tarkeep.domain.errors import ExpandsTooFar, NotATar, TarkeepError
from tests.support.tars import BROKEN, END, WHOLE, header, member, pax, pax_record, with_tarfile

CORPUS = {
    **{name: tar for name, (_, tar) in WHOLE.items()},
    **BROKEN,
    **{f"tarfile {format}": with_tarfile(format) for format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)},
}


def walk(*pieces: bytes) -> tuple[int, bool, int | None]:
    tar = TarWalk(InspectionLimits())
    for piece in pieces:
        tar.feed(piece)
    tar.finish()
    return tar.members, tar.incremental, tar.newest_mtime


def outcome(*pieces: bytes) -> object:
    try:
        return walk(*pieces)
    except TarkeepError as error:
        return repr(error)


@pytest.mark.parametrize("size", [1, 7, 511, 512, 513, 700])
@pytest.mark.parametrize("name", CORPUS)
def test_pieces_of_any_size_tell_the_same(name: str, size: int) -> None:
    """The outcome, offset and reason included, is that of the tar in one piece."""
    tar = CORPUS[name][:20_000] if size < 500 else CORPUS[name]

    assert outcome(*(tar[at : at + size] for at in range(0, len(tar), size))) == outcome(tar)


@given(
    records=st.lists(
        st.tuples(
            st.sampled_from((b"mtime", b"atime", b"path", b"comment", b"k" * 1_000)),
            st.sampled_from(
                (b"", b"1", b"1600000000.5", b"1600000000.123456789", b"v" * 990, b"v" * 3_000, b"a=b\n3 c")
            ),
        ),
        max_size=6,
    ),
    places=st.lists(st.integers(0, 30_000), max_size=8),
)
@settings(max_examples=200, deadline=None)
def test_pax_records_are_read_across_pieces(records: list[tuple[bytes, bytes]], places: list[int]) -> None:
    """Records of any length, cut anywhere, are those of the whole header; the last time given counts."""
    raw = b"".join(pax_record(keyword, value) for keyword, value in records)
    tar = pax(raw) + member(mtime=5) + member(mtime=6) + END
    edges = [0, *sorted(place % len(tar) for place in places), len(tar)]
    times = [value for keyword, value in records if keyword == b"mtime" and value[:1] == b"1"]

    members, _, newest = walk(*(tar[start:stop] for start, stop in pairwise(edges)))

    assert (members, newest) == (2, max(6, int(times[-1].split(b".")[0])) if times else 6)


def test_bytes_of_a_member_are_never_taken_for_headers() -> None:
    """A tar within a tar is data."""
    inner = member(b"inner") * 5 + END

    assert walk(member(b"outer", inner) + END)[0] == 1


def test_a_pax_size_makes_the_walk_skip_what_readers_of_the_header_would_read() -> None:
    """The pax size counts, not that of the header: a tar hidden behind a header of size 0 is data, too."""
    inner = member(b"hidden") * 5

    assert walk(pax({b"size": b"%d" % len(inner)}) + header(b"outer", 0) + inner + END)[0] == 1


def test_a_long_name_in_many_pieces_is_too_long() -> None:
    """A name is measured by what its record announces, not by what has come of it."""
    tar = pax({b"path": b"p" * 100_000}) + member() + END
    with pytest.raises(ExpandsTooFar):
        walk(*(tar[at : at + 700] for at in range(0, len(tar), 700)))


def test_the_offset_of_a_bad_header_is_told() -> None:
    """An operator can look at the place: the block that is wrong, counted from the start of the tar."""
    tar = member(content=b"x" * 600) + header(sum_error=1) + END
    for size in (len(tar), 512, 100):
        with pytest.raises(NotATar) as caught:
            walk(*(tar[at : at + size] for at in range(0, len(tar), size)))

        assert caught.value.offset == 1536


def test_the_offset_of_a_cut_is_the_length() -> None:
    """Where bytes are missing, the place is the end."""
    with pytest.raises(NotATar) as caught:
        walk(header(size=5_000) + bytes(700))

    assert (caught.value.offset, caught.value.reason) == (
        1212,
        "cut inside a member",
    )
