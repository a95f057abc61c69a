"""
Getting archives back: no byte twice, and no file under an archive's name but with the archive's bytes.

What arrives is hashed while it is written. What an earlier run left is hashed as well before it is added to, so that a
byte that went wrong in between cannot hide; then everything comes again.
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
    """What became of one archive."""

    PULLED = "pulled"
    ALREADY_HERE = "already-here"
    CONFLICT = "conflict"
    FAILED = "failed"


@frozen
class Pulled:
    """What became of *archive*, and which *error* kept it from being here."""

    archive: BackupArchive
    arrival: PullOutcome
    error: TarkeepError | None = None


def named(archives: Iterable[BackupArchive], names: Sequence[str]) -> tuple[list[BackupArchive], list[str]]:
    """
    Those of *archives* that *names* ask for, and the names that ask for none; all of them without names.

    A name is that of an archive, or ``TYPE/NAME`` where it must be of that type.
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
    """Bring one archive here."""

    remote: ArchiveSource
    landing: Landing
    files: LocalFiles
    cache: DigestCache
    hasher: Hasher
    retrying: Retrying

    def __call__(self, archive: BackupArchive, progress: Progress, notice: Notice, *, replace: bool = False) -> Pulled:
        """
        What became of *archive*: it came, or was here already. With *replace* other bytes under its name give way.

        Raises:
            LocalConflict: other bytes lie here under its name.
            PulledBytesDiffer: the bytes that come are not those the server names.
            ArchiveNotFound, ServerUnreachable, Refused, Unauthorized: the server, after trying again where that may
                help.
            PullInProgress, LocalDiskFull, FolderUnusable: it cannot be written.
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
                with suppress(TarkeepError):  # an older server, or one that is asked too often; the error says enough
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
    """One archive on its way here, over as many requests as it takes."""

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
        """Whether more is here than when this was asked last."""
        moved, self._seen_bytes = self._part.size_bytes > self._seen_bytes, self._part.size_bytes
        return moved

    def receive(self) -> None:
        """
        Make the part whole and right.

        Raises:
            PulledBytesDiffer: it is whole and wrong, though every byte has come in this one request; it is empty now.
        """
        self._look_at_what_is_here()
        from_bytes = self._rest()
        if self._is_right():
            return
        if from_bytes > 0:
            # a part of another run, or of another connection, may be what is wrong
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
        """Receive what is missing; the position from which on it came."""
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
