"""
Notes on objects that may be nobody's: one small file for each, below the data directory.

::

    DATA/staging/<receipt>.object    the key, the upload in parts if there is one, whether its end was asked for, and
                                     the archive that the object is to be, or was

The rule: a note is there before its object, and goes when a side-car names the object, or when the object is gone. What
no note names is never dropped: it may be somebody else's. A note need not survive a power cut; then its object
stays in the bucket unused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from attrs import asdict, frozen

from ...domain.identity.archive_id import ArchiveId, BackupType
from ..process.os_errors import translated

_SUFFIX, _PART_SUFFIX = ".object", ".object-part"


@frozen
class Loose:
    """
    An object at *key* that may be nobody's. *upload* is its upload in parts, empty for none.

    *is_ending* tells that the end of that upload may have been asked for. *profile*, *type* and *name* are those of the
    archive, empty as long as they are unknown.
    """

    receipt: str
    key: str
    upload: str = ""
    is_ending: bool = False
    profile: str = ""
    type: str = ""
    name: str = ""

    @property
    def id(self) -> ArchiveId | None:
        """The archive that the object is to be, or was."""
        return ArchiveId(self.profile, BackupType(self.type), self.name) if self.name else None


@frozen
class Register:
    """The notes in *folder*."""

    folder: Path

    def keep(self, loose: Loose) -> None:
        """Write the note on *loose*, or another instead of the present one."""
        path = self._path(loose.receipt)
        part = path.with_suffix(_PART_SUFFIX)
        with translated(writing=True):
            part.write_text(json.dumps(asdict(loose)))
            part.replace(path)

    def drop(self, receipt: str) -> None:
        """Remove the note. An unknown one is no error."""
        with translated(writing=True):
            self._path(receipt).unlink(missing_ok=True)

    def before(self, moment: datetime) -> Iterator[tuple[Loose, float]]:
        """The notes that were written before *moment*, each with that time in seconds since 1970."""
        with translated():
            for path in sorted(self.folder.glob("*" + _SUFFIX)):
                try:
                    seconds, content = path.stat().st_mtime, path.read_bytes()
                except FileNotFoundError:
                    continue
                if seconds < moment.timestamp():
                    yield Loose(**json.loads(content)), seconds

    def _path(self, receipt: str) -> Path:
        return self.folder / (receipt + _SUFFIX)
