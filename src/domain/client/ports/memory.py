"""What the client remembers between runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import frozen

from ...identity.archive_id import ArchiveId
from .local_archives import LocalArchive, version_of


class DigestCache(Protocol):
    """SHA-256 of local archives, kept between runs. Losing it costs time and nothing else."""

    def get(self, archive: LocalArchive) -> str | None:
        """The digest of exactly this version of the file, if known; lower-case hex."""

    def put(self, archive: LocalArchive, sha256: str) -> None:
        """Remember *sha256*; a failure is no error."""


class UploadNotes(Protocol):
    """Where unfinished uploads were begun, kept between runs. Losing it costs sending again and nothing else."""

    def of(self, server: str, id: ArchiveId, size_bytes: int) -> Sequence[UploadNote]:
        """The notes at *server* for an archive of that size, those with the fewest proven bytes first."""

    def put(self, note: UploadNote) -> None:
        """Keep *note* in place of any other for its address; a failure is no error."""

    def drop(self, address: str) -> None:
        """Forget the upload at *address*; a failure is no error."""

    def all(self, server: str) -> Sequence[UploadNote]:
        """All notes at *server*."""


class CheckNotes(Protocol):
    """What checks of dumps found, kept between runs. Losing it costs a check, and delays the FULL that follows one."""

    def of(self, server: str, profile: str) -> CheckNote | None:
        """The note on the last check of *profile* at *server*, if there was one."""

    def put(self, note: CheckNote) -> None:
        """Keep *note* in place of any other for its profile; a failure is no error."""


@frozen
class CheckNote:
    """
    The point *label* of *profile* was checked at *checked_at*, in seconds since the epoch.

    *missed* counts what tar had missed; a FULL is to be made then, and is noted with 0.
    """

    server: str
    profile: str
    label: str
    checked_at: int
    missed: int = 0


@frozen
class UploadNote:
    """
    The upload at *address* on *server*, which is written as `ServerAddress.url` gives it.

    *sha256* is that of the whole archive, if it was known; *proven_sha256* is that of its first *proven_bytes*; all in
    lower-case hex. *version* tells the file that was being sent from any other, and from a changed version of itself.
    """

    server: str
    id: ArchiveId
    size_bytes: int
    address: str
    version: str
    sha256: str | None = None
    proven_bytes: int = 0
    proven_sha256: str = ""

    def may_go_on(
        self, archive: LocalArchive, sha256: str | None, digest_of_first: Callable[[int], str | None], offset_bytes: int
    ) -> bool:
        """
        Whether *archive* begins with the *offset_bytes* bytes that the server has of this upload.

        *sha256* is that of the whole *archive*, if known; *digest_of_first* gives that of its first bytes, or None
        where it no longer can.
        """
        if sha256 is not None and self.sha256 is not None:
            return sha256 == self.sha256
        if self.proven_bytes and digest_of_first(self.proven_bytes) != self.proven_sha256:
            return False
        return offset_bytes <= self.proven_bytes or version_of(archive) == self.version
