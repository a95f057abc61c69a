"""
Pushing an archive that can be read only once, such as the output of tar.

A short archive is sent in one request. A longer one is sent as a resumable upload of open length; bytes that the server
may not have made durable yet stay in memory, so that a cut line costs no byte unless the server falls further behind
than that. The client declares the end only after the source has ended well: a source that raises leaves no archive.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime

from attrs import define, field, frozen

from ...archives.archive import BackupArchive, Lineage
from ...errors.client import ServerUnreachable
from ...errors.content import EmptyArchive
from ...errors.uploads import UploadGone
from ...identity.archive_id import ArchiveId
from ...identity.digests import DeclaredDigests
from ...identity.invalid import DigestMismatch
from ...ports.inspection import Hasher, RunningChecksum
from ...tarkeep_error import TarkeepError
from ...text.counted import counted
from ...uploads import ChecksumAlgorithm
from ..ports.remote import NO_LINEAGE, RemoteStore, UploadProgress
from ..progress import Progress
from ..retrying import Notice, Retrying

WHOLE_BYTES = 8 << 20
KEPT_BYTES = 20 << 20
"""More than a server receives before making it durable (9 MB), plus what connections and proxies buffer."""


@frozen
class PushStream:
    """Store the bytes of an iterator."""

    remote: RemoteStore
    hasher: Hasher
    retrying: Retrying

    def __call__(
        self,
        id: ArchiveId,
        blocks: Iterable[bytes],
        progress: Progress,
        notice: Notice,
        lineage: Lineage = NO_LINEAGE,
        taken_at: datetime | None = None,
        notes: Callable[[], tuple[str, ...]] = tuple,
    ) -> BackupArchive:
        """
        Returns the stored archive. *notes* is called at the end of *blocks*.

        Raises:
            EmptyArchive: *blocks* has no bytes.
            UploadGone: the server's offset is before the kept bytes.
            ServerUnreachable, Refused, Unauthorized, DigestMismatch, ParentMoved: as for `PushArchive`.
            Any error of *blocks*; then nothing is stored.
        """
        window = _Window(iter(blocks), self.hasher.checksum(ChecksumAlgorithm.SHA256), progress)
        window.fill(WHOLE_BYTES)
        if window.has_ended:
            if not window.end_bytes:
                raise EmptyArchive
            digests = DeclaredDigests(sha256=window.sha256)
            stored = self.retrying(
                lambda: self.remote.put(id, window.blocks(0), window.end_bytes, digests, lineage, taken_at, notes()),
                on_retry=notice,
            )
        else:
            stored = self._resumable(
                lambda: self.remote.create_upload(id, None, DeclaredDigests(), lineage, taken_at), window, notice, notes
            )
        if stored.digests.sha256 != window.sha256:
            raise DigestMismatch("sha256", window.sha256, stored.digests.sha256)
        return stored

    def _resumable(
        self, create: Callable[[], str], window: _Window, notice: Notice, notes: Callable[[], tuple[str, ...]]
    ) -> BackupArchive:
        upload = self.retrying(create, on_retry=notice)
        try:
            return self._sent(upload, window, notice, notes)
        except (ServerUnreachable, UploadGone):  # the server cannot be told, or the upload is gone
            raise
        except BaseException:
            with suppress(TarkeepError):
                self.remote.drop_upload(upload)
            raise

    def _sent(
        self, upload: str, window: _Window, notice: Notice, notes: Callable[[], tuple[str, ...]]
    ) -> BackupArchive:
        seen = 0

        def has_moved() -> bool:
            nonlocal seen
            moved, seen = window.end_bytes > seen, window.end_bytes
            return moved

        def send() -> UploadProgress:
            progress = self.remote.upload_progress(upload)
            if progress.stored is not None:
                return progress
            if progress.offset_bytes < window.start_bytes:
                raise UploadGone(
                    upload,
                    f"the server has only {counted(progress.offset_bytes, 'byte')}, and the source cannot be reread",
                )
            if not window.has_ended or progress.offset_bytes < window.end_bytes:
                progress = self.remote.append(upload, progress.offset_bytes, window.blocks(progress.offset_bytes), None)
            return self.remote.append(upload, progress.offset_bytes, (), 0, window.end_bytes, notes())

        stored = self.retrying(send, has_moved=has_moved, on_retry=notice).stored
        if stored is None:
            raise UploadGone(upload, "the server took every byte, but names no archive")
        return stored


@define
class _Window:
    """The last bytes of a stream; earlier ones are dropped."""

    _source: Iterator[bytes]
    _checksum: RunningChecksum
    _tell: Progress
    _kept: deque[bytes] = field(factory=deque, init=False)
    start_bytes: int = 0
    end_bytes: int = 0
    has_ended: bool = False

    @property
    def sha256(self) -> str:
        return self._checksum.digest().hex()

    def fill(self, size_bytes: int) -> None:
        """Read until *size_bytes* are kept or the stream ends."""
        while self.end_bytes - self.start_bytes < size_bytes and self._read() is not None:
            pass

    def blocks(self, position: int) -> Iterator[bytes]:
        """The bytes from *position* on, which must still be kept, to the end of the stream."""
        start = self.start_bytes
        for block in list(self._kept):
            if start + len(block) > position:
                rest = block[max(0, position - start) :]
                yield rest
                self._tell(start + len(block), len(rest))
            start += len(block)
        while (block_read := self._read()) is not None:
            yield block_read
            self._tell(self.end_bytes, len(block_read))

    def _read(self) -> bytes | None:
        block = next(self._source, None)
        if block is None:
            self.has_ended = True
            return None
        self._checksum.update(block)
        self._kept.append(block)
        self.end_bytes += len(block)
        while self.end_bytes - self.start_bytes - len(self._kept[0]) >= KEPT_BYTES:
            self.start_bytes += len(self._kept.popleft())
        return block
