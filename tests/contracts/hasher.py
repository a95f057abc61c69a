"""What every `Hasher` promises."""

from __future__ import annotations

import hashlib
import random
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from tarkeep.domain.identity.digests import Digests
from tarkeep.domain.ports.inspection import Hasher

LONG = random.Random(1).randbytes(5_000_000)


def oracle(content: bytes) -> Digests:
    return Digests(md5=hashlib.md5(content).hexdigest(), sha256=hashlib.sha256(content).hexdigest())


def digests(hasher: Hasher, content: bytes, block_bytes: int) -> Digests:
    with hasher.start() as running:
        for start in range(0, len(content), block_bytes):
            running.update(content[start : start + block_bytes])
        return running.finish()


class HasherContract:
    """A subclass gives the fixture *hasher*."""

    @pytest.mark.parametrize("content", [b"", b"a", b"abc" * 1000, LONG[:1_048_576], LONG[:1_048_577], LONG])
    @pytest.mark.parametrize("block_bytes", [7919, 65_536, 1 << 20, 1 << 23])
    def test_both_digests_are_those_of_the_whole(self, hasher: Hasher, content: bytes, block_bytes: int) -> None:
        """For any cut of the bytes, and any length."""
        assert digests(hasher, content, block_bytes) == oracle(content)

    def test_blocks_of_every_kind_and_of_no_length_are_taken(self, hasher: Hasher) -> None:
        """bytes, bytearray and memoryview, also empty ones."""
        with hasher.start() as running:
            for block in (b"ab", bytearray(b"cd"), memoryview(b"ef"), b""):
                running.update(block)

            assert running.finish() == oracle(b"abcdef")

    @pytest.mark.parametrize("content", [b"", b"a", LONG[:65_537], LONG])
    def test_a_crc_is_that_of_gzip_and_goes_on(self, hasher: Hasher, content: bytes) -> None:
        """For any kind of block, and any cut."""
        for block in (content, bytearray(content), memoryview(content)):
            assert hasher.crc32(block) == zlib.crc32(content)
        for cut in (0, len(content) // 3, len(content)):
            assert hasher.crc32(content[cut:], hasher.crc32(content[:cut])) == zlib.crc32(content)

    def test_many_at_once_do_not_mix(self, hasher: Hasher) -> None:
        """Each stream has its own digests, even with more streams than cores."""
        contents = [bytes([number]) * 3_000_000 for number in range(8)]

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda content: digests(hasher, content, 1 << 20), contents))

        assert found == [oracle(content) for content in contents]

    def test_leaving_early_leaves_no_thread(self, hasher: Hasher) -> None:
        """An upload that breaks off leaves no thread."""
        before = threading.active_count()

        with hasher.start() as running:
            running.update(LONG)
            running.update(LONG)

        assert threading.active_count() == before
        assert digests(hasher, LONG, 1 << 20) == oracle(LONG)
