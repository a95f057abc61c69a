"""Gzip in members that stand alone: what comes out is what went in, in order, and can be entered at each member."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.adapters.gnu_tar.gzip_members import GzipMembers


@given(
    blocks=st.lists(st.binary(max_size=300), max_size=30),
    member_bytes=st.integers(1, 400),
    jobs=st.integers(1, 3),
)
def test_what_comes_out_is_what_went_in(blocks: list[bytes], member_bytes: int, jobs: int) -> None:
    """Whatever the blocks are, each member inflates alone to so many bytes, the last to the rest."""
    content = b"".join(blocks)
    packed = b"".join(GzipMembers(level=1, jobs=jobs, member_bytes=member_bytes)(blocks))

    assert gzip.decompress(packed) == content
    pieces = list(_members(packed))
    assert b"".join(pieces) == content
    assert all(len(piece) == member_bytes for piece in pieces[:-1])


def _members(packed: bytes) -> Iterator[bytes]:
    while packed:
        engine = zlib.decompressobj(wbits=31)
        yield engine.decompress(packed)
        packed = engine.unused_data


def test_the_same_input_gives_the_same_bytes() -> None:
    """No time and no name is in it, so that sending again is no conflict."""
    assert list(GzipMembers()([b"some"])) == list(GzipMembers(jobs=2)([b"so", b"me"]))


def test_a_source_that_breaks_has_no_last_member() -> None:
    """What it gave since the last whole member never comes out."""

    def breaking() -> Iterator[bytes]:
        yield b"whole"
        yield b"cut"
        raise ValueError("broke")

    got: list[bytes] = []
    with pytest.raises(ValueError, match="broke"):
        got.extend(GzipMembers(member_bytes=5)(breaking()))
    assert gzip.decompress(b"".join(got)) in (b"", b"whole")


def test_no_more_is_read_than_can_be_held() -> None:
    """With nobody taking what comes out, reading stops after a few members."""
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield bytes(1000)

    running = GzipMembers(jobs=2, member_bytes=1000)(endless())
    next(running)
    assert read <= 6
    running.close()  # type: ignore[attr-defined]
