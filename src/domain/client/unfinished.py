"""
Unfinished uploads, and whether a local file is the one that an upload was begun for.

An upload can be continued on the server where it was begun, for the same profile, type and name, and only if the sent
bytes are those of the file: by the SHA-256 of the whole file if it was known, else by that of the bytes sent before.
Bytes sent after the last note count only for the unchanged file that was being sent.
"""

from __future__ import annotations

from collections.abc import Iterable

from .ports.local_archives import LocalArchive
from .ports.memory import UploadNote


def unfinished_uploads(
    archives: Iterable[LocalArchive], notes: Iterable[UploadNote], profile: str | None = None
) -> list[tuple[LocalArchive, UploadNote]]:
    """Each of *notes* with the archive that matches by name and size; for one *profile* or for all."""
    here = {(archive.type, archive.name, archive.size_bytes): archive for archive in archives}
    found = []
    for note in notes:
        archive = here.get((note.id.type, note.id.name, note.size_bytes))
        if archive is not None and profile in (None, note.id.profile):
            found.append((archive, note))
    return found
