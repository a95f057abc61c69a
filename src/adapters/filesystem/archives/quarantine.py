"""
Damaged bytes that were replaced by right ones, kept for a while: what became of them may tell what the disk does.

::

    DATA/quarantine/<profile>/<TYPE>/<name>.tar.gz.<id>

The rule: it never stands in the way of a repair. What cannot be moved here is dropped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from attrs import frozen

from ....domain.identity.archive_id import ArchiveId, BackupType
from ....domain.identity.invalid import InvalidName
from ...process.os_errors import translated
from ..open_files import is_regular, names_in, unlink
from .type_folders import TypeFolders


@frozen(eq=False)
class Quarantine:
    """The folders of damaged bytes. One thread at a time may work on one archive."""

    folders: TypeFolders

    def take_in(self, id: ArchiveId, directory: int, as_id: str) -> None:
        """Move the bytes of *id* from *directory* to here, under the new *as_id*, if that is possible."""
        with suppress(OSError):
            self.folders.root.mkdir(0o700, exist_ok=True)
            with self.folders.made(id.profile, id.type) as here:
                os.rename(id.name, f"{id.name}.{as_id}", src_dir_fd=directory, dst_dir_fd=here)

    def empty(self, older_than: datetime) -> int:
        """As `ArchiveStore.empty_quarantine`."""
        if not self.folders.root.is_dir():
            return 0
        limit, removed = older_than.timestamp(), 0
        for profile, type in self.folders.all():
            with translated(writing=True), self.folders.opened_if_there(profile, type) as here:
                # the time of the last change of the file itself is that of its move to here
                old = (
                    []
                    if here is None
                    else [
                        name
                        for name in _of_archives(names_in(here), profile, type)
                        if (found := is_regular(name, here)) is not None and found.st_ctime < limit
                    ]
                )
                for name in old:
                    unlink(name, here)
                removed += len(old)
                if old and here is not None:
                    os.fsync(here)
        return removed


def _of_archives(names: list[str], profile: str, type: BackupType) -> Iterator[str]:
    for name in names:
        with suppress(InvalidName):
            ArchiveId(profile, type, name.rpartition(".")[0])
            yield name
