"""
Pulling archives: no byte twice, and a file gets an archive's name only with the archive's bytes.

Arriving bytes are hashed while they are written. The part that an earlier run left is hashed, too, before it is
extended, so that a bad byte in it cannot hide; if the digest is wrong, everything is downloaded again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import Enum

from attrs import define, field, frozen

from ...archives.archive import BackupArchive
from ...errors.client import LocalConflict, LocalFileChanged, PulledBytesDiffer, ServerUnreachable
from ...ports.inspection import Hasher, RunningChecksum
from ...tarkeep_error import TarkeepError
from ...uploads import ChecksumAlgorithm
from ..ports.landing import Landing, Part
from ..ports.local_archives import LocalArchive, LocalFiles
from ..ports.memory import DigestCache
from ..ports.remote import ArchiveSource
from ..progress import Progress
from ..push.push_archive import digest_of
from ..retrying import Notice, Retrying


class PullOutcome(Enum):
    """The result for one archive."""

    PULLED = "pulled"
    ALREADY_HERE = "already-here"
    CONFLICT = "conflict"
    FAILED = "failed"


@frozen
class Pulled:
    """The result for *archive*, and the *error* of a failed pull."""

    archive: BackupArchive
    arrival: PullOutcome
    error: TarkeepError | None = None


def named(archives: Iterable[BackupArchive], names: Sequence[str]) -> tuple[list[BackupArchive], list[str]]:
    """
    Those of *archives* that *names* select, and the names without a match; without names, all archives.

    A name is that of an archive, or ``TYPE/NAME`` to select one type.
    """
    if not names:
        return list(archives), []
    wanted = set(names)
    chosen = []
    found: set[str] = set()
    for archive in archives:
        asked = wanted & {archive.id.name, archive.id.label}
        if asked:
            chosen.append(archive)
            found |= asked
    return chosen, [name for name in dict.fromkeys(names) if name not in found]


@frozen
class PullArchive:
    """Pull one archive to this machine."""

    remote: ArchiveSource
    landing: Landing
    files: LocalFiles
    cache: DigestCache
    hasher: Hasher
    retrying: Retrying

    def __call__(self, archive: BackupArchive, progress: Progress, notice: Notice, *, replace: bool = False) -> Pulled:
        """
        Pull *archive*, unless it is here already. With *replace*, a local file with its name and other bytes is
        replaced.

        Raises:
            LocalConflict: a local file has its name and other bytes.
            PulledBytesDiffer: the arriving bytes do not have the digest that the server declares.
            ArchiveNotFound, ServerUnreachable, Refused, Unauthorized: from the server, after useful retries.
            PullInProgress, LocalDiskFull, FolderUnusable: the local file cannot be written.
        """
        here = self.landing.find(archive)
        if here is not None:
            if self._is_equal(here, archive):
                return Pulled(archive, PullOutcome.ALREADY_HERE)
            if not replace:
                raise LocalConflict(here.path)
        with self.landing.begin(archive) as part:
            arriving = _Arriving(self, archive, part, progress)
            try:
                self.retrying(
                    arriving.receive,
                    has_moved=arriving.has_moved,
                    on_retry=notice,
                )
            except PulledBytesDiffer:
                with suppress(TarkeepError):  # an older or rate-limiting server; the error says enough
                    self.remote.suspect(archive)
                raise
            landed = part.publish(replace=replace)
        self.cache.put(landed, archive.digests.sha256)
        return Pulled(archive, PullOutcome.PULLED)

    def _is_equal(self, here: LocalArchive, archive: BackupArchive) -> bool:
        if here.size_bytes != archive.size_bytes:
            return False
        try:
            return digest_of(here, self.files, self.cache, self.hasher) == archive.digests.sha256
        except LocalFileChanged:
            return False


@define
class _Arriving:
    """One archive that is being pulled, over any number of requests."""

    _pull: PullArchive
    _archive: BackupArchive
    _part: Part
    _progress: Progress
    _checksum: RunningChecksum = field(init=False)
    _hashed_bytes: int = 0
    _seen_bytes: int = 0

    @_checksum.default
    def _begun(self) -> RunningChecksum:
        return self._pull.hasher.checksum(ChecksumAlgorithm.SHA256)

    def has_moved(self) -> bool:
        """Whether the local part has grown since the last call."""
        moved, self._seen_bytes = self._part.size_bytes > self._seen_bytes, self._part.size_bytes
        return moved

    def receive(self) -> None:
        """
        Complete the local part and check it.

        Raises:
            PulledBytesDiffer: the bytes are wrong, although all came in this one request; the part is now empty.
        """
        self._look_at_what_is_here()
        from_bytes = self._rest()
        if self._is_right():
            return
        if from_bytes > 0:
            # the part from another run or connection may be the wrong one
            self._restart()
            self._rest()
            if self._is_right():
                return
        actual = self._checksum.digest().hex()
        self._restart()
        raise PulledBytesDiffer(str(self._archive.id), self._archive.digests.sha256, actual)

    def _look_at_what_is_here(self) -> None:
        if self._part.size_bytes > self._archive.size_bytes:
            self._restart()
        elif self._hashed_bytes < self._part.size_bytes:
            self._checksum = self._begun()
            self._hashed_bytes = 0
            for block in self._part.read():
                self._hash(block)
                self._progress(self._hashed_bytes, 0)
        self._seen_bytes = max(self._seen_bytes, self._part.size_bytes)

    def _rest(self) -> int:
        """Receive the missing bytes. Returns the position of the first byte that came."""
        missing_from = self._part.size_bytes
        if missing_from == self._archive.size_bytes:
            return missing_from
        with self._pull.remote.read(self._archive, missing_from) as download:
            if download.start_bytes != missing_from:
                self._restart()
                missing_from = 0
            for block in download:
                self._part.write(block)
                self._hash(block)
                self._progress(self._hashed_bytes, len(block))
                if self._hashed_bytes > self._archive.size_bytes:
                    break
        if self._part.size_bytes < self._archive.size_bytes:
            raise ServerUnreachable(self._pull.remote.shown_url, f"the bytes of {self._archive.id} ended early")
        return missing_from

    def _is_right(self) -> bool:
        return (
            self._part.size_bytes == self._archive.size_bytes
            and self._checksum.digest().hex() == self._archive.digests.sha256
        )

    def _restart(self) -> None:
        self._part.restart()
        self._seen_bytes = 0
        self._checksum = self._begun()
        self._hashed_bytes = 0

    def _hash(self, block: bytes) -> None:
        self._checksum.update(block)
        self._hashed_bytes += len(block)
