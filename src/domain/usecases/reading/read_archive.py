"""
Giving the bytes of stored archives back: to clients, and to whatever looks inside.

Whoever reads an archive does it through here. The rule: no byte is given of which it is known, or could be found out
while it is read, that it is not what was received. Each block is held against its sum before it is given; where an
archive has no sums, what is read as a whole is hashed, and its last block is held back until the digest is right, and
for a part of it the sums are made first. One that is no longer than a block is hashed before anything of it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from attrs import define, field, frozen

from ...archives.archive import ArchiveState, BackupArchive
from ...archives.block_sums import BLOCK_BYTES, BlockSums, RunningSums
from ...errors.archives import ArchiveCorrupt, ArchiveNotFound
from ...errors.capacity import BackendUnavailable
from ...ports.inspection import Hasher
from ...ports.store import ArchiveReader, ArchiveStore
from ...ports.sums import ArchiveSums
from ...ports.system import Turns
from ...tarkeep_error import TarkeepError
from ...text.counted import counted
from ...uploads import ChecksumAlgorithm
from .examine import ExamineArchive
from .hashed import HashedReader


@frozen
class ReadArchive:
    """Open the bytes of a stored archive."""

    store: ArchiveStore
    hasher: Hasher
    sums: ArchiveSums
    examine: ExamineArchive
    turns: Turns

    def __call__(self, archive: BackupArchive, start: int = 0, stop: int | None = None) -> ArchiveReader:
        """
        The bytes from *start* to *stop* (exclusive; None is the end); the caller leaves the reader's context.

        All of it is checked, for next to nothing where the archive has sums. Of one that has none the whole is hashed:
        while all of it is read, or at the call for a part, once; others who want a part wait for that.

        Raises:
            ArchiveCorrupt: the bytes are known to be damaged, or are missing, or have another length than they had; or,
                while they are read, are not what was received. The archive is marked then.
        """
        start, stop = _clipped(archive, start, stop)
        if (
            (start, stop) == (0, archive.size_bytes)
            and self._sums(archive) is None
            and archive.size_bytes > BLOCK_BYTES
        ):
            return self._hashed(archive)
        return self.surely(archive, start, stop)

    def surely(self, archive: BackupArchive, start: int = 0, stop: int | None = None) -> ArchiveReader:
        """
        Like calling, but an archive that has no sums is read once for having them at the call, also for all of it.

        For who makes something of what comes before the last of it does, or does not read to the end.
        """
        start, stop = _clipped(archive, start, stop)
        sums = self._sums(archive)
        if sums is None and archive.size_bytes > BLOCK_BYTES:
            sums = self._made_sums(archive)
        return self._checked(archive, sums, start, stop)

    def _sums(self, archive: BackupArchive) -> BlockSums | None:
        if archive.state is ArchiveState.DAMAGED:
            raise ArchiveCorrupt(archive.id)
        if archive.size_bytes <= BLOCK_BYTES:
            return None
        sums = self.sums.get(archive.digests.sha256)
        return sums if sums is not None and sums.size_bytes == archive.size_bytes else None

    def _opened(self, archive: BackupArchive, start: int, stop: int) -> ArchiveReader:
        """The bytes as they lie there. Whatever else lies behind the end shows in the length of what reaches to it."""
        is_rest = stop == archive.size_bytes
        try:
            reader = self.store.read(archive.id, start, None if is_rest else stop)
        except ArchiveNotFound as error:
            raise self.examine.found(archive, "its file is missing") from error
        if reader.size_bytes != stop - start:
            with reader:
                raise self.examine.found(archive, f"it does not have {counted(archive.size_bytes, 'byte')} any more")
        return _Watched(reader, archive, self.examine)

    def _checked(self, archive: BackupArchive, sums: BlockSums | None, start: int, stop: int) -> ArchiveReader:
        if sums is None:
            return _Given(self._hashed_content(archive)[start:stop])
        begin = start - start % BLOCK_BYTES
        end = min(archive.size_bytes, -(-stop // BLOCK_BYTES) * BLOCK_BYTES)
        return _SummedReader(self, archive, sums, self._opened(archive, begin, max(begin, end)), start, stop)

    def _hashed(self, archive: BackupArchive) -> ArchiveReader:
        """All of it, whose digest is computed on the way, and its sums with it, which are then kept."""
        summing = _Summing(self._opened(archive, 0, archive.size_bytes), RunningSums(self.hasher.crc32))
        sha256 = archive.digests.sha256
        return HashedReader(
            summing,
            sha256,
            self.hasher,
            wrong=lambda: self._other_bytes(archive),
            right=lambda: self.sums.put(sha256, summing.running.finish()),
        )

    def _hashed_content(self, archive: BackupArchive) -> bytes:
        with self._opened(archive, 0, archive.size_bytes) as reader:
            content = b"".join(reader)
        digest = self.hasher.checksum(ChecksumAlgorithm.SHA256)
        digest.update(content)
        if digest.digest().hex() != archive.digests.sha256:
            raise self._other_bytes(archive)
        return content

    def _made_sums(self, archive: BackupArchive) -> BlockSums:
        sha256 = archive.digests.sha256
        with self.turns.take(f"sums of {sha256}"):
            made = self._sums(archive)  # by whoever had the turn before
            if made is not None:
                return made
            running = RunningSums(self.hasher.crc32)
            summing = _Summing(self._opened(archive, 0, archive.size_bytes), running)
            with HashedReader(summing, sha256, self.hasher, wrong=lambda: self._other_bytes(archive)) as reader:
                for _ in reader:
                    pass
            sums = running.finish()
            self.sums.put(sha256, sums)
            return sums

    def _other_bytes(self, archive: BackupArchive) -> TarkeepError:
        """The error to raise where the digest of *archive* is another, after finding out why."""
        if self.examine(archive) is ArchiveState.DAMAGED:
            return ArchiveCorrupt(archive.id)
        return _changed_meanwhile(archive)

    def wrong_block(self, archive: BackupArchive, sums: BlockSums, block: int) -> TarkeepError:
        """The error to raise where a block has another sum, which is looked at once more: it may be repaired by now."""
        begin = block * BLOCK_BYTES
        end = min(begin + BLOCK_BYTES, archive.size_bytes)
        with suppress(ArchiveNotFound, ArchiveCorrupt), self.store.read(archive.id, begin, end) as reader:
            if self.hasher.crc32(b"".join(reader)) == sums.of(block):
                return _changed_meanwhile(archive)
        return self.examine.found(archive, f"its bytes {begin} to {end - 1} are not what was received")


def _clipped(archive: BackupArchive, start: int, stop: int | None) -> tuple[int, int]:
    stop = archive.size_bytes if stop is None else min(stop, archive.size_bytes)
    return min(start, stop), stop


def _changed_meanwhile(archive: BackupArchive) -> TarkeepError:
    return BackendUnavailable("store", f"{archive.id} was repaired while it was read; ask again")


@define
class _Around:
    """What all readers here are: around another one."""

    _reader: ArchiveReader

    @property
    def size_bytes(self) -> int:
        return self._reader.size_bytes

    def __exit__(self, *_error: object) -> None:
        self._reader.__exit__(None, None, None)


@define
class _Watched(_Around):
    """What the store gives, whose errors are entered."""

    _archive: BackupArchive
    _examine: ExamineArchive

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._reader
        except ArchiveCorrupt as error:
            raise self._examine.found(self._archive, "it cannot be read to its end") from error

    def __enter__(self) -> _Watched:
        return self


@define
class _Summing(_Around):
    """What another reader gives, with its sums."""

    running: RunningSums

    def __iter__(self) -> Iterator[bytes]:
        for block in self._reader:
            self.running.update(block)
            yield block

    def __enter__(self) -> _Summing:
        return self


@define
class _Given:
    """Bytes that were checked before."""

    _content: bytes = field(repr=False)

    @property
    def size_bytes(self) -> int:
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        if self._content:
            yield self._content

    def __enter__(self) -> _Given:
        return self

    def __exit__(self, *_error: object) -> None:
        """Nothing is held."""


@define
class _SummedReader:
    """What lies from *start* to *stop* in the blocks that *blocks* gives, each held against its sum before it is."""

    _read: ReadArchive
    _archive: BackupArchive
    _sums: BlockSums
    _blocks: ArchiveReader
    _start: int
    _stop: int

    @property
    def size_bytes(self) -> int:
        return self._stop - self._start

    def __iter__(self) -> Iterator[bytes]:
        number = self._start // BLOCK_BYTES
        crc32 = self._read.hasher.crc32
        for block in _in_blocks(self._blocks):
            if crc32(block) != self._sums.of(number):
                raise self._read.wrong_block(self._archive, self._sums, number)
            at = number * BLOCK_BYTES
            number += 1
            begin, end = max(0, self._start - at), min(len(block), self._stop - at)
            if begin < end:
                yield block[begin:end] if end - begin < len(block) else block

    def __enter__(self) -> _SummedReader:
        return self

    def __exit__(self, *_error: object) -> None:
        self._blocks.__exit__(None, None, None)


def _in_blocks(pieces: ArchiveReader) -> Iterator[bytes]:
    """*pieces* as blocks of `BLOCK_BYTES`, the last one shorter."""
    held = b""
    for piece in pieces:
        if not held and len(piece) == BLOCK_BYTES:  # as they come from files
            yield piece
            continue
        held += piece
        while len(held) >= BLOCK_BYTES:
            yield held[:BLOCK_BYTES]
            held = held[BLOCK_BYTES:]
    if held:
        yield held
