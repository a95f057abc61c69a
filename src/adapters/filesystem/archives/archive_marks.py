"""
Marks as files beside archives, replaced whole.

The store does not ask whether its caller has looked at them: nothing is taken away that they protect.
"""

from __future__ import annotations

import os
from datetime import datetime

from ....domain.errors.archives import AlreadyPublished, ArchiveProtected
from ....domain.identity.archive_id import ArchiveId
from ....domain.retention.marks import decode
from .archive_files import MARKS_SUFFIX, is_there, read_marks
from .staged_file import StagedFile


def replace_marks(id: ArchiveId, marks: StagedFile, instead_of: bytes | None, directory: int) -> None:
    """
    Durably replace the marks of *id* in *directory*.

    Raises:
        AlreadyPublished: its marks are not *instead_of*.
    """
    if read_marks(id, directory) != instead_of:
        raise AlreadyPublished(id)
    marks.move_to(id.name + MARKS_SUFFIX, directory)
    os.fsync(directory)


def refuse_protected(id: ArchiveId, now: datetime, *directories: int | None) -> None:
    """Raises ArchiveProtected if marks protect the archive *id* in any of *directories*; None is no directory."""
    for directory in directories:
        if directory is not None and is_there(id, directory):
            found = decode(read_marks(id, directory)).protection(now)
            if found:
                raise ArchiveProtected(id, found)
