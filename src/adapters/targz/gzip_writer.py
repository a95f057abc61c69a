"""
Compression of content that is made while it is sent: one gzip member, at isal's fastest level.

A restored tree is packed once and read once, so speed matters more than a few percent of size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

try:
    from isal import isal_zlib as engine
except ImportError:  # a platform it has no wheel for
    import zlib as engine  # type: ignore[no-redef]

_LEVEL = 1
_GZIP = 31  # window bits that ask for a gzip header and trailer


def gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """*pieces* as one gzip member. An error raised by *pieces* passes through, and then there is no trailer."""
    packer = engine.compressobj(_LEVEL, engine.DEFLATED, _GZIP)
    for piece in pieces:
        packed = packer.compress(piece)
        if packed:
            yield packed
    yield packer.flush()
