"""Archives that lie in a local folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from attrs import frozen

from ...errors.client import FolderUnusable
from ...identity.archive_id import BackupType


@frozen
class LocalArchive:
    """
    An archive lying in a local folder.

    *path*, *size_bytes*, *modified_ns*, *inode* and *changed_ns* are what tells one version of a file from the next.
    The last is the time that nobody can set: other bytes may come with the size and time of those before (``cp -p``).
    """

    type: BackupType
    name: str
    size_bytes: int
    path: str
    modified_ns: int
    inode: int
    changed_ns: int

    @property
    def label(self) -> str:
        """``TYPE/NAME``, for people."""
        return f"{self.type.value}/{self.name}"


@frozen
class LocalContents:
    """
    What lies in a local folder: every archive, ordered by type and name, and what could not be looked at.

    *unusable* names folders and files of which nobody can say what they hold: whoever reports that all is well must not
    pass over them.
    """

    archives: tuple[LocalArchive, ...]
    unusable: tuple[FolderUnusable, ...] = ()


class LocalFile(AbstractContextManager["LocalFile", None], Protocol):
    """The bytes of a local archive, opened once; leaving the context closes it."""

    def read(self, start: int = 0) -> Iterator[bytes]:
        """
        The bytes from *start* to the end in blocks of at most 1 MiB.

        Raises:
            LocalFileChanged: the file is not the version that was listed any more.
            FolderUnusable: it cannot be read.
        """


class LocalFiles(Protocol):
    """Archives of this machine, to be read."""

    def open(self, archive: LocalArchive) -> LocalFile:
        """
        Open *archive* for reading.

        Raises:
            LocalFileChanged: it is not the version that was listed, or is gone.
            FolderUnusable: it cannot be read.
        """


class LocalArchives(LocalFiles, Protocol):
    """The archives of this machine: ``BACKUP_DIR/{FULL,INC,DIFF}/*.tar.gz``."""

    def look(self) -> LocalContents:
        """
        What is there. A type without a folder has no archives; a folder that cannot be read, a link to nothing or to
        itself, and anything that is no file under an archive's name are *unusable*.

        Raises:
            FolderUnusable: there is no such folder, or it cannot be read.
        """


def version_of(archive: LocalArchive) -> str:
    """What tells one version of a file from the next, as far as the file system does."""
    return f"{archive.size_bytes} {archive.modified_ns} {archive.changed_ns} {archive.inode}"
