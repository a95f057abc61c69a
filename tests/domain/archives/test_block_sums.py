"""Sums of blocks: independent of how an archive arrived, and one for each block."""

from __future__ import annotations

import random
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.archives.block_sums import BLOCK_BYTES, BlockSums, RunningSums

CONTENT = random.Random(1).randbytes(2 * BLOCK_BYTES + 17)


SIZES = st.sampled_from([0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, len(CONTENT)])
CUTS = st.lists(st.integers(0, len(CONTENT)) | st.sampled_from([BLOCK_BYTES, 2 * BLOCK_BYTES]), max_size=6)


@given(SIZES, CUTS)
def test_sums_do_not_depend_on_how_the_archive_came(size: int, cuts: list[int]) -> None:
    """In one piece or many, of any lengths, each block has the CRC-32 that gzip would give it."""
    running = RunningSums(zlib.crc32)
    edges = sorted({0, size, *(cut for cut in cuts if cut < size)})
    for begin, end in pairwise(edges):
        running.update(memoryview(CONTENT)[begin:end])

    sums = running.finish()
    assert sums.size_bytes == size
    blocks = range(0, size, BLOCK_BYTES)
    assert [sums.of(number) for number in range(len(blocks))] == [
        zlib.crc32(CONTENT[:size][at : at + BLOCK_BYTES]) for at in blocks
    ]


@pytest.mark.parametrize(("size", "sums"), [(0, 4), (1, 0), (BLOCK_BYTES, 8), (BLOCK_BYTES + 1, 4), (5, 3)])
def test_there_are_as_many_sums_as_blocks(size: int, sums: int) -> None:
    """Any other number of sums is refused."""
    with pytest.raises(ValueError, match="not the sums"):
        BlockSums(size, bytes(sums))
