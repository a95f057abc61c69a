"""Pieces of an archive that is inflated ahead of its reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tarkeep.domain.ports.unpacking import NOT_YET, NotYet


def made(pieces: Iterable[bytes | NotYet]) -> Iterator[bytes]:
    """The pieces, without the markers that the next one is not ready."""
    return (piece for piece in pieces if piece is not NOT_YET)
