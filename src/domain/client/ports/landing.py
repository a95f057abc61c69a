"""Where pulled archives land."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from ...archives.archive import BackupArchive
from .local_archives import LocalArchive


class Part(AbstractContextManager["Part", None], Protocol):
    """
    The local part of an archive that is not whole yet. Leaving the context keeps it for the next time.

    Every writing method may raise `LocalDiskFull` and `FolderUnusable`.
    """

    @property
    def size_bytes(self) -> int: ...

    def read(self) -> Iterator[bytes]:
        """The bytes from the first on, in blocks of at most 1 MiB."""

    def write(self, block: bytes) -> None:
        """Append *block*."""

    def restart(self) -> None:
        """Drop every byte."""

    def publish(self, *, replace: bool) -> LocalArchive:
        """
        Give it its name; when this returns, name and bytes survive a power cut. The caller may only leave then.

        Raises:
            LocalConflict: the name is taken, and *replace* is false.
        """


class Landing(Protocol):
    """Where pulled archives land: ``DIR/{FULL,INC,DIFF}/NAME``, and ``NAME.part`` until they are whole."""

    def find(self, archive: BackupArchive) -> LocalArchive | None:
        """The local file with the type and name of *archive*, whatever bytes it has."""

    def begin(self, archive: BackupArchive) -> Part:
        """
        Go on with the local part of *archive*, which may be empty.

        Raises:
            PullInProgress: another process is pulling it.
            LocalDiskFull: the missing bytes do not fit.
            FolderUnusable: the folder cannot be written.
        """
