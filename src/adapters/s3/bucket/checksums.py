"""
How the object store is told what it must have received.

The rule: a byte that changes on its way into the bucket is refused there. Not every object store looks at every kind of
checksum, so each kind is tried at the start, the cheapest first, and the first that works is used.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable, Mapping
from enum import Enum

from ....domain.ports.store import Block


class Integrity(Enum):
    """The kinds of checksums, the cheapest first."""

    CRC32 = "CRC-32"
    SHA256 = "SHA-256 in the signature"
    MD5 = "MD5"


def sums_of(integrity: Integrity, blocks: Iterable[Block]) -> Mapping[str, str]:
    """The arguments of a request that tell the checksum of its body; signatures are made by the connection."""
    if integrity is Integrity.CRC32:
        crc = 0
        for block in blocks:
            crc = zlib.crc32(block, crc)
        return {"ChecksumCRC32": _in_base64(crc.to_bytes(4, "big"))}
    if integrity is Integrity.MD5:
        digest = hashlib.md5(usedforsecurity=False)
        for block in blocks:
            digest.update(block)
        return {"ContentMD5": _in_base64(digest.digest())}
    return {}


def _in_base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")
