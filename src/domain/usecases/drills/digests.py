"""The SHA-256 of the files that a tree takes from one archive, found in one pass over its bytes."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from attrs import define, field, frozen

from ...archives.archive import BackupArchive
from ...errors.archives import ArchiveCorrupt
from ...ports.unpacking import NOT_YET, NotYet, Unpacker
from ...tar.members import Member, MemberRecord, MemberType
from ...tar.read_headers import read_to_show
from ...tar.sparse import regions_before_data, regions_in_headers
from ..reading.archive_members import ArchiveMembers
from ..reading.examiner import Examiner

_DIGEST_BYTES = 32
_UNKNOWN = bytes(_DIGEST_BYTES)
_ZEROS = bytes(1 << 20)
_LARGEST_MAP = 16 << 20
_LARGEST_SPARSE = 1 << 40
"""A sparse file that is larger is not digested: most of it would be zeros, at a gigabyte per second."""


@define(eq=False)
class MemberDigests:
    """The digests of members by their positions, in columns: a million take some forty megabytes."""

    positions: Sequence[int]
    digests: bytearray

    def of(self, at: int) -> bytes | None:
        """The SHA-256 in hex of the file at the position *at*; None if it has none."""
        place = bisect_left(self.positions, at)
        if place == len(self.positions) or self.positions[place] != at:
            return None
        digest = bytes(self.digests[_DIGEST_BYTES * place : _DIGEST_BYTES * (place + 1)])
        return None if digest == _UNKNOWN else digest.hex().encode()


@frozen
class DigestMembers:
    """Digest what is stored of files, holes of sparse ones included."""

    members: ArchiveMembers
    unpacker: Unpacker
    examiner: Examiner

    def __call__(self, archive: BackupArchive, positions: Sequence[int]) -> MemberDigests:
        """
        The digests of the files at *positions*, which ascend; the archive is read to its end.

        Raises:
            ArchiveCorrupt: its bytes are damaged.
        """
        found = MemberDigests(array("Q", positions), bytearray())
        if not positions:
            return found
        with self.examiner.watching(archive), self.unpacker.open(archive) as unpacked:
            stream = _Stream(archive, unpacked.through())
            records = self.members.at(archive, found.positions)
            for at in found.positions:
                record = next(records, None)
                if record is None or record.at != at:
                    raise ArchiveCorrupt(archive.id)
                found.digests += _digested(record, stream)
            stream.finish()
        return found


def _digested(record: MemberRecord, stream: _Stream) -> bytes:
    member = read_to_show(record)
    if member.type is not MemberType.FILE:
        return _UNKNOWN
    if member.is_sparse:
        return _digested_sparse(record, member, stream)
    digest = hashlib.sha256()
    for piece in stream.take(member.data_at, member.stored_bytes):
        digest.update(piece)
    return digest.digest()


def _digested_sparse(record: MemberRecord, member: Member, stream: _Stream) -> bytes:
    position, regions = member.data_at, regions_in_headers(record)
    head = b""
    if regions is None:
        while True:
            wanted = min(max(2 * len(head), 4 << 10), member.stored_bytes)
            head += b"".join(stream.take(position + len(head), wanted - len(head)))
            try:
                found = regions_before_data(head)
            except ValueError:
                return _UNKNOWN
            if found is not None:
                regions, map_bytes = found
                break
            if len(head) in (member.stored_bytes, _LARGEST_MAP):
                return _UNKNOWN
        head, position = head[map_bytes:], position + map_bytes
    if member.size_bytes > _LARGEST_SPARSE:
        return _UNKNOWN
    digest, at = hashlib.sha256(), 0
    for start, length in regions:
        if start < at:
            return _UNKNOWN
        _add_zeros(digest, start - at)
        already = head[:length]
        head = head[len(already) :]
        digest.update(already)
        position += len(already)
        for piece in stream.take(position, length - len(already)):
            digest.update(piece)
        position += length - len(already)
        at = start + length
        padding = -(position - member.data_at) % 512
        head, position = head[padding:], position + padding
    if at > member.size_bytes:
        return _UNKNOWN
    _add_zeros(digest, member.size_bytes - at)
    return digest.digest()


def _add_zeros(digest: hashlib._Hash, count: int) -> None:
    while count > 0:
        some = min(count, len(_ZEROS))
        digest.update(_ZEROS if some == len(_ZEROS) else memoryview(_ZEROS)[:some])
        count -= some


@define
class _Stream:
    """The inflated bytes of an archive, read forwards."""

    _archive: BackupArchive
    _pieces: Iterator[bytes | NotYet]
    _piece: bytes = b""
    _at: int = field(default=0, init=False)  # the position of the piece's first byte

    def take(self, start: int, count: int) -> Iterator[memoryview | bytes]:
        """The *count* bytes from *start* on, which is not before the bytes taken last."""
        while count > 0:
            while self._at + len(self._piece) <= start:
                self._next()
            begin = start - self._at
            part: memoryview | bytes = self._piece
            if begin or count < len(self._piece):
                part = memoryview(self._piece)[begin : begin + count]
            yield part
            start += len(part)
            count -= len(part)

    def finish(self) -> None:
        """Read to the end."""
        for _ in self._pieces:
            pass

    def _next(self) -> None:
        self._at += len(self._piece)
        self._piece = b""
        for piece in self._pieces:
            if piece is not NOT_YET:
                self._piece = piece
                return
        raise ArchiveCorrupt(self._archive.id)
