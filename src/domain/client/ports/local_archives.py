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

    *path*, *size_bytes*, *modified_ns*, *inode* and *changed_ns* tell one version of a file from the next. No program
    can set the last one: other bytes may come with the size and modification time of those before (``cp -p``).
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
    What lies in a local folder: every archive, ordered by type and name, and what could not be read.

    *unusable* names folders and files with unknown contents: a caller must not report that all is well without them.
    """

    archives: tuple[LocalArchive, ...]
    unusable: tuple[FolderUnusable, ...] = ()


class LocalFile(AbstractContextManager["LocalFile", None], Protocol):
    """The bytes of a local archive, opened once; leaving the context closes it."""

    def read(self, start: int = 0) -> Iterator[bytes]:
        """
        The bytes from *start* to the end in blocks of at most 1 MiB.

        Raises:
            LocalFileChanged: the file is no longer the version that was listed.
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
        The contents of the folder. A type without a folder has no archives. *unusable* are a folder that cannot be
        read, a link to nothing or to itself, and anything but a file under an archive's name.

        Raises:
            FolderUnusable: the folder does not exist or cannot be read.
        """


def version_of(archive: LocalArchive) -> str:
    """A text that differs between two versions of a file, as far as the file system can tell them apart."""
    return f"{archive.size_bytes} {archive.modified_ns} {archive.changed_ns} {archive.inode}"
