"""
A footprint as bytes, as stored beside the records of an archive: two parts, each compressed and with its CRC-32.

The first part has the objection, the links, the renames (old and new paths in turn), the peculiar directories (each
followed by its peculiarity), and the digest of the directories; the second has the directories, which are many and
seldom needed. A list of paths begins with their number and their size in bytes, each path followed by a NUL, which no
name in a tar contains.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import chain, islice
from struct import Struct

from ...domain.names.footprints import Footprint, digest_of
from ...domain.names.peculiar import read_peculiar

_MAGIC = b"TKFOOT3\n"
_PART = Struct("<II")  # length, CRC-32
_HEAD = Struct("<II")
_LEVEL = 1


def footprint_bytes(footprint: Footprint) -> bytes:
    """*footprint* in the form that `read_footprint` reads."""
    first = _lists(
        [footprint.objection.encode()],
        sorted(footprint.links),
        list(chain.from_iterable(footprint.renames)),
        list(chain.from_iterable((path, its.written) for path, its in footprint.peculiar.items())),
    )
    return _MAGIC + _part(footprint.digest + first) + _part(_lists(sorted(footprint.directories)))


def read_footprint(written: bytes) -> Footprint:
    """
    The footprint in *written*. Its directories are decoded on demand.

    Raises:
        ValueError: *written* is not, byte for byte, what `footprint_bytes` made.
    """
    first, behind = _read_part(written, len(_MAGIC))
    _, end = _checked_part(written, behind)
    if not written.startswith(_MAGIC) or end != len(written):
        raise ValueError("not a footprint that was written")
    size = len(digest_of(()))
    (objection,), links, renames, told = _read_lists(first[size:], 4)
    peculiar = dict(zip(islice(told, 0, None, 2), map(read_peculiar, islice(told, 1, None, 2)), strict=True))
    pairs = zip(islice(renames, 0, None, 2), islice(renames, 1, None, 2), strict=True)

    def directories() -> frozenset[bytes]:
        return frozenset(_read_lists(_read_part(written, behind)[0], 1)[0])

    return Footprint(frozenset(links), tuple(pairs), objection.decode(), peculiar, first[:size], directories)


def _part(content: bytes) -> bytes:
    packed = zlib.compress(content, _LEVEL)
    return _PART.pack(len(packed), zlib.crc32(packed)) + packed


def _checked_part(written: bytes, at: int) -> tuple[bytes, int]:
    """The part at *at*, still compressed, and the position of its end."""
    begin = at + _PART.size
    if begin > len(written):
        raise ValueError("not a footprint that was written")
    size, crc = _PART.unpack_from(written, at)
    packed = written[begin : begin + size]
    if len(packed) != size or zlib.crc32(packed) != crc:
        raise ValueError("not a footprint that was written")
    return packed, begin + size


def _read_part(written: bytes, at: int) -> tuple[bytes, int]:
    packed, end = _checked_part(written, at)
    return zlib.decompress(packed), end


def _lists(*lists: Sequence[bytes]) -> bytes:
    parts: list[bytes] = []
    for paths in lists:
        content = b"".join(path + b"\0" for path in paths)
        parts += (_HEAD.pack(len(paths), len(content)), content)
    return b"".join(parts)


def _read_lists(content: bytes, count: int) -> list[list[bytes]]:
    position = 0
    found: list[list[bytes]] = []
    for _ in range(count):
        paths, size_bytes = _HEAD.unpack_from(content, position)
        position += _HEAD.size
        found.append(content[position : position + size_bytes].split(b"\0")[:paths])
        position += size_bytes
    return found
