"""What every `Compressor` promises."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tarkeep.domain.client.ports.dumping import Compressor

INHERITED = settings(suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture])

blocks_of_any_kind = st.lists(st.binary(max_size=300), max_size=30)


def members(packed: bytes) -> Iterator[bytes]:
    """The content of each gzip member of *packed*, the last one as far as it goes."""
    while packed:
        engine = zlib.decompressobj(wbits=31)
        yield engine.decompress(packed)
        packed = engine.unused_data


class CompressorContract:
    """A subclass gives the fixture *compress*."""

    @INHERITED
    @given(blocks_of_any_kind)
    def test_what_comes_out_is_what_went_in(self, compress: Compressor, blocks: list[bytes]) -> None:
        """For any cut; as a gzip that every tool reads."""
        packed = b"".join(compress(iter(blocks)))
        assert gzip.decompress(packed) == b"".join(blocks)

    @INHERITED
    @given(blocks_of_any_kind, st.binary(min_size=1, max_size=300))
    def test_a_source_that_breaks_has_no_end(self, compress: Compressor, blocks: list[bytes], last: bytes) -> None:
        """Its error passes through, and its last bytes never come out, however whole they look."""

        def breaking() -> Iterator[bytes]:
            yield from blocks
            yield last
            raise ValueError("broke")

        packed: list[bytes] = []
        with pytest.raises(ValueError, match="broke"):
            packed.extend(compress(breaking()))
        got, given = b"".join(members(b"".join(packed))), b"".join(blocks) + last
        assert given.startswith(got)
        assert len(got) < len(given)

    def test_nothing_is_read_before_something_is_wanted(self, compress: Compressor) -> None:
        """And reading stops when the reader stops."""
        read: list[int] = []

        def endless() -> Iterator[bytes]:
            while True:
                read.append(len(read))
                yield bytes(100)

        running = compress(endless())
        assert read == []
        next(running)
        before = len(read)
        running.close()  # type: ignore[attr-defined]
        assert len(read) == before
