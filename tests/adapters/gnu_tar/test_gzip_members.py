"""Independent gzip members: each can be entered without those before it, and only a few are held in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.adapters.gnu_tar.gzip_members import GzipMembers
from tarkeep.domain.client.ports.dumping import Compressor
from tests.contracts.client.compressor import CompressorContract, blocks_of_any_kind, members


class TestGzipMembers(CompressorContract):
    """With members that are cut at every block, within blocks and never, by one thread and by several."""

    @pytest.fixture(params=[(1, 1), (100, 3), (300, 2), (1 << 20, 1)])
    def compress(self, request: pytest.FixtureRequest) -> Compressor:
        member_bytes, jobs = request.param
        return GzipMembers(level=1, jobs=jobs, member_bytes=member_bytes)


@given(blocks=blocks_of_any_kind, member_bytes=st.integers(1, 400), jobs=st.integers(1, 3))
def test_each_member_has_so_many_bytes(blocks: list[bytes], member_bytes: int, jobs: int) -> None:
    """The last has the rest."""
    pieces = list(members(b"".join(GzipMembers(level=1, jobs=jobs, member_bytes=member_bytes)(blocks))))

    assert b"".join(pieces) == b"".join(blocks)
    assert all(len(piece) == member_bytes for piece in pieces[:-1])


def test_the_same_input_gives_the_same_bytes() -> None:
    """They contain no time and no name, so that sending again is no conflict."""
    assert list(GzipMembers()([b"some"])) == list(GzipMembers(jobs=2)([b"so", b"me"]))


def test_no_more_is_read_than_can_be_held() -> None:
    """If the output is not taken, reading stops after a few members."""
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield bytes(1000)

    running = GzipMembers(jobs=2, member_bytes=1000)(endless())
    next(running)
    assert read <= 7
    running.close()  # type: ignore[attr-defined]
