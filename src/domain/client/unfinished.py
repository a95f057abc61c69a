"""
Uploads that were begun and not ended, and whether a file here is what one of them is of.

An upload is gone on with at the server where it was begun, for the same profile, type and name, and only where the
bytes that were sent are those of the file: by the SHA-256 of all of it where that was known, else by that of what had
been sent. What was sent after the last note is believed of the very file that was being sent, and of no other.
"""

from __future__ import annotations

from collections.abc import Iterable

from .ports.local_archives import LocalArchive
from .ports.memory import UploadNote


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
