"""
Uploads that were begun and not ended, and whether a file here is what one of them is of.

An upload is gone on with at the server where it was begun, for the same profile, type and name, and only where the
bytes that were sent are those of the file: by the SHA-256 of all of it where that was known, else by that of what had
been sent. What was sent after the last note is believed of the very file that was being sent, and of no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import frozen

from ...identity.archive_id import ArchiveId
from ..ports.remote import LocalArchive


@frozen
class UploadNote:
    """
    The upload at *address* of *server*, which is an address as `ServerAddress.url` gives it.

    *sha256* is that of the whole archive, where it was known; *proven_sha256* that of its first *proven_bytes*, all in
    lower-case hex. *version* tells the file that was being sent from any other, and from the same one changed.
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

        *sha256* is that of all of it, where it is known; *digest_of_first* gives that of its first bytes, None where it
        cannot any more.
        """
        if sha256 is not None and self.sha256 is not None:
            return sha256 == self.sha256
        if self.proven_bytes and digest_of_first(self.proven_bytes) != self.proven_sha256:
            return False
        return offset_bytes <= self.proven_bytes or version_of(archive) == self.version


def version_of(archive: LocalArchive) -> str:
    """What tells one version of a file from the next, as far as the file system does."""
    return f"{archive.size_bytes} {archive.modified_ns} {archive.changed_ns} {archive.inode}"


def unfinished_uploads(
    archives: Iterable[LocalArchive], notes: Iterable[UploadNote], profile: str | None = None
) -> list[tuple[LocalArchive, UploadNote]]:
    """Each of *notes* with the archive it is of, as far as names and sizes tell; of one *profile* or of all."""
    here = {(archive.type, archive.name, archive.size_bytes): archive for archive in archives}
    found = []
    for note in notes:
        archive = here.get((note.id.type, note.id.name, note.size_bytes))
        if archive is not None and profile in (None, note.id.profile):
            found.append((archive, note))
    return found
