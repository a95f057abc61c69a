"""
A footprint as bytes, as it lies beside the records of an archive: a magic word, a CRC-32, and compressed sections.

Four sections: the objection, the links, the directories, and the renames, old and new in turn. Each begins with how
many paths it has and how many bytes they take with a NUL behind each; no name of tar has one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from struct import Struct

from ..domain.footprints import Footprint

_MAGIC = b"TKFOOT1\n"
_CRC = Struct("<I")
_HEAD = Struct("<II")
_LEVEL = 1


def footprint_bytes(footprint: Footprint) -> bytes:
    """*footprint*, to be read by `read_footprint`."""
    sections: tuple[Iterable[bytes], ...] = (
        (footprint.objection.encode(),),
        sorted(footprint.links),
        sorted(footprint.directories),
        chain.from_iterable(footprint.renames),
    )
    content = zlib.compress(b"".join(map(_section, map(list, sections))), _LEVEL)
    return _MAGIC + _CRC.pack(zlib.crc32(content)) + content


def read_footprint(written: bytes) -> Footprint:
    """
    The footprint that *written* is of.

    Raises:
        ValueError: it is not, byte for byte, what was written.
    """
    begin = len(_MAGIC) + _CRC.size
    if written[: len(_MAGIC)] != _MAGIC or written[len(_MAGIC) : begin] != _CRC.pack(zlib.crc32(written[begin:])):
        raise ValueError("not a footprint that was written")
    content = zlib.decompress(written[begin:])
    position = 0
    sections: list[list[bytes]] = []
    for _ in range(4):
        count, size_bytes = _HEAD.unpack_from(content, position)
        position += _HEAD.size
        sections.append(content[position : position + size_bytes].split(b"\0")[:count])
        position += size_bytes
    (objection,), links, directories, renames = sections
    pairs = zip(islice(renames, 0, None, 2), islice(renames, 1, None, 2), strict=True)
    return Footprint(frozenset(links), frozenset(directories), tuple(pairs), objection.decode())


def _section(paths: Sequence[bytes]) -> bytes:
    content = b"".join(path + b"\0" for path in paths)
    return _HEAD.pack(len(paths), len(content)) + content
