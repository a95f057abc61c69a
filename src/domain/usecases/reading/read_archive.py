"""
Giving back the bytes of stored archives: to clients, and to code that looks inside.

Every reader of an archive goes through this module. The rule: no byte is given that is known, or could be found while
reading, to differ from what was received. Each block is compared with its sum before it is given. If an archive has no
sums, a read of the whole is hashed and the last block held back until the digest is right; for a read of a part the
sums are made first. An archive no longer than one block is hashed before any byte is given.
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
from ...ports.upkeep.figures import Tally
from ...scrubbing.findings import MISSING, UNREADABLE, Damage, Fault
from ...tarkeep_error import TarkeepError
from ...text.counted import counted
from ...uploads import ChecksumAlgorithm
from .examiner import Examiner
from .hashed import HashedReader


@frozen
class ReadArchive:
    """Open the bytes of a stored archive."""

    store: ArchiveStore
    hasher: Hasher
    sums: ArchiveSums
    examiner: Examiner
    turns: Turns
    tally: Tally | None = None

    def __call__(
        self, archive: BackupArchive, start: int = 0, stop: int | None = None, *, sums_first: bool = False
    ) -> ArchiveReader:
        """
        The bytes from *start* to *stop* (exclusive; None is the end); the caller must leave the reader's context.

        All bytes given are checked, at almost no cost if the archive has sums. An archive without sums is hashed in
        full: while the whole is read, or at the call for a part, once; other readers of parts wait for that. With
        *sums_first* it is read at the call in any case: for callers that use the bytes before the last one arrives, or
        do not read to the end.

        Raises:
            ArchiveCorrupt: the bytes are known to be damaged, are missing, or have another length than before; or,
                while they are read, differ from what was received. The archive is then marked as damaged.
        """
        start, stop = _clipped(archive, start, stop)
        sums = self._sums(archive)
        if sums is None and archive.size_bytes > BLOCK_BYTES:
            if not sums_first and (start, stop) == (0, archive.size_bytes):
                return self._hashed(archive)
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
        """The bytes as the store has them. Extra bytes behind the end show in the length of a read to the end."""
        is_rest = stop == archive.size_bytes
        try:
            reader = self.store.read(archive.id, start, None if is_rest else stop)
        except ArchiveNotFound as error:
            raise self.examiner.found(archive, MISSING) from error
        if reader.size_bytes != stop - start:
            with reader:
                raise self.examiner.found(
                    archive, Damage(Fault.LENGTH, f"it no longer has {counted(archive.size_bytes, 'byte')}")
                )
        return _Watched(reader, archive, self.examiner, self.tally)

    def _checked(self, archive: BackupArchive, sums: BlockSums | None, start: int, stop: int) -> ArchiveReader:
        if sums is None:
            return _Given(self._hashed_content(archive)[start:stop])
        begin = start - start % BLOCK_BYTES
        end = min(archive.size_bytes, -(-stop // BLOCK_BYTES) * BLOCK_BYTES)
        return _SummedReader(self, archive, sums, self._opened(archive, begin, max(begin, end)), start, stop)

    def _hashed(self, archive: BackupArchive) -> ArchiveReader:
        """The whole archive; its digest and its sums are computed on the way, and the sums are then kept."""
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
            made = self._sums(archive)  # by the thread that had the turn before
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
        """The error to raise if the digest of *archive* is wrong, after examining why."""
        if self.examiner.examine(archive) is ArchiveState.DAMAGED:
            return ArchiveCorrupt(archive.id)
        return _changed_meanwhile(archive)


def wrong_block(read: ReadArchive, archive: BackupArchive, sums: BlockSums, block: int) -> TarkeepError:
    """The error to raise if a block has a wrong sum. The block is read again: it may have been repaired."""
    begin = block * BLOCK_BYTES
    end = min(begin + BLOCK_BYTES, archive.size_bytes)
    with suppress(ArchiveNotFound, ArchiveCorrupt), read.store.read(archive.id, begin, end) as reader:
        if read.hasher.crc32(b"".join(reader)) == sums.of(block):
            return _changed_meanwhile(archive)
    return read.examiner.found(
        archive, Damage(Fault.DIGEST, f"its bytes {begin} to {end - 1} are not what was received")
    )


def _clipped(archive: BackupArchive, start: int, stop: int | None) -> tuple[int, int]:
    stop = archive.size_bytes if stop is None else min(stop, archive.size_bytes)
    return min(start, stop), stop


def _changed_meanwhile(archive: BackupArchive) -> TarkeepError:
    return BackendUnavailable("store", f"{archive.id} was repaired while it was read; try again")


@define
class _Around:
    """What all readers here have in common: each wraps another one."""

    _reader: ArchiveReader

    @property
    def size_bytes(self) -> int:
        return self._reader.size_bytes

    def __exit__(self, *_error: object) -> None:
        self._reader.__exit__(None, None, None)


@define
class _Watched(_Around):
    """Bytes from the store, which are counted; a read error is recorded as damage."""

    _archive: BackupArchive
    _examiner: Examiner
    _tally: Tally | None

    def __iter__(self) -> Iterator[bytes]:
        try:
            for block in self._reader:
                if self._tally is not None:
                    self._tally.read(len(block))
                yield block
        except ArchiveCorrupt as error:
            raise self._examiner.found(self._archive, UNREADABLE) from error

    def __enter__(self) -> _Watched:
        return self


@define
class _Summing(_Around):
    """Bytes of another reader, with their sums."""

    running: RunningSums

    def __iter__(self) -> Iterator[bytes]:
        for block in self._reader:
            self.running.update(block)
            yield block

    def __enter__(self) -> _Summing:
        return self


@define
class _Given:
    """Bytes that were already checked."""

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
        """Does nothing: there are no resources to release."""


@define
class _SummedReader:
    """The bytes from *start* to *stop* within *blocks*; each block is compared with its sum before it is given."""

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
                raise wrong_block(self._read, self._archive, self._sums, number)
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
    """*pieces* as blocks of `BLOCK_BYTES`; the last one may be shorter."""
    held = b""
    for piece in pieces:
        if not held and len(piece) == BLOCK_BYTES:  # the usual case when reading from files
            yield piece
            continue
        held += piece
        while len(held) >= BLOCK_BYTES:
            yield held[:BLOCK_BYTES]
            held = held[BLOCK_BYTES:]
    if held:
        yield held
