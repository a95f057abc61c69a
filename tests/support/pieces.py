"""Pieces of an archive that is inflated ahead of whoever takes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tarkeep.domain.ports.unpacking import NOT_YET, NotYet


def made(pieces: Iterable[bytes | NotYet]) -> Iterator[bytes]:
    """Those that are not only there to say that the next is on its way."""
    return (piece for piece in pieces if piece is not NOT_YET)
