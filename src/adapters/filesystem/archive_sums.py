"""
Storage for the sums of archives' blocks: a folder of the data directory, or memory.

::

    DATA/sums/<first two digits>/<SHA-256 of the archive>
    DATA/sums/<id>.part    while it is written

A file holds the sums, then the length of the archive, its SHA-256, and a CRC-32 of everything before. It is written to
a temporary name and renamed, without an fsync: the CRC exposes a file torn by a power cut, which counts as missing and
is made again the next time the whole archive is read. A cache must never be the reason that an archive is refused, so
`put` does not raise.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path

from attrs import define, field

from ...domain.archives.block_sums import BlockSums
from ...domain.ports.system import IdSource

_PART_SUFFIX = ".part"
_FOOTER = struct.Struct("<Q32sI")  # length of the archive, its SHA-256, CRC-32 of the sums and of these two
_MAX_BYTES = 256 << 20  # the sums of an archive of 16 TiB; a larger file was not written here


@define(eq=False)
class SumsFolder:
    """`ArchiveSums` as files below *folder*, which need not exist."""

    folder: Path
    _ids: IdSource

    def get(self, sha256: str) -> BlockSums | None:
        try:
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # do not block on a pipe placed here
            with io.FileIO(os.open(self._path(sha256), flags)) as file:
                if os.fstat(file.fileno()).st_size > _MAX_BYTES:
                    return None
                content = file.readall()
        except OSError:
            return None
        if len(content) < _FOOTER.size:
            return None
        size_bytes, digest, crc = _FOOTER.unpack(content[-_FOOTER.size :])
        if zlib.crc32(content[:-4]) != crc or digest.hex() != sha256:
            return None
        try:
            return BlockSums(size_bytes, content[: -_FOOTER.size])
        except ValueError:
            return None

    def put(self, sha256: str, sums: BlockSums) -> None:
        part = self.folder / (self._ids.new() + _PART_SUFFIX)
        footer = _FOOTER.pack(sums.size_bytes, bytes.fromhex(sha256), 0)[:-4]
        content = sums.sums + footer
        try:
            path = self._path(sha256)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_bytes(content + struct.pack("<I", zlib.crc32(content)))
            part.replace(path)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def sweep(self) -> None:
        with suppress(OSError):
            for part in self.folder.glob("*" + _PART_SUFFIX):
                part.unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256


@define(eq=False)
class MemorySums:
    """`ArchiveSums` in memory. Tests may change *kept*, as a failing disk would."""

    kept: dict[str, BlockSums] = field(factory=dict)

    def get(self, sha256: str) -> BlockSums | None:
        return self.kept.get(sha256)

    def put(self, sha256: str, sums: BlockSums) -> None:
        self.kept[sha256] = sums

    def sweep(self) -> None:
        """Does nothing: memory holds no unfinished files."""
