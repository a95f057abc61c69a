"""
What the client's use cases need: a server to talk to, a folder of archives, digests computed before, somebody to tell.

Like the server's ports (`domain.ports`) these are protocols whose promises the contract tests prove for each adapter.
Errors are those of `domain.errors`; every method of `Remote` may raise `NoAnswer` (worth another try), `Unauthorized`
and `Refused`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from ...archives.archive import BackupArchive, Lineage
from ...archives.inventory import InventoryEntry, SyncReport
from ...errors.client import FolderUnusable
from ...identity.archive_id import ArchiveId, BackupType
from ...identity.digests import DeclaredDigests
from ...ports import Totals

if TYPE_CHECKING:
    from ..push.unfinished import UploadNote

NO_LINEAGE = Lineage()
"""Of an archive of which nothing is said."""


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


class DigestCache(Protocol):
    """SHA-256 of local archives, kept between runs. Losing it costs time and nothing else."""

    def get(self, archive: LocalArchive) -> str | None:
        """The digest of exactly this version of the file, where it is known; lower-case hex."""

    def put(self, archive: LocalArchive, sha256: str) -> None:
        """Remember *sha256*; failing to is no error."""


class UploadNotes(Protocol):
    """Where unfinished uploads were begun, kept between runs. Losing it costs sending again and nothing else."""

    def of(self, server: str, id: ArchiveId, size_bytes: int) -> Sequence[UploadNote]:
        """What is noted at *server* of an archive of that size, that with the fewest proven bytes first."""

    def put(self, note: UploadNote) -> None:
        """Keep *note* in the place of any other of its address; failing to is no error."""

    def drop(self, address: str) -> None:
        """Forget the upload at *address*; failing to is no error."""

    def all(self, server: str) -> Sequence[UploadNote]:
        """Everything noted at *server*."""


@frozen
class UploadProgress:
    """Where an upload stands on the server: durable bytes, and the archive once it is stored."""

    offset_bytes: int
    stored: BackupArchive | None = None


class Download(AbstractContextManager["Download", None], Protocol):
    """
    Bytes of a stored archive on their way here, in blocks of at most 1 MiB; leaving the context ends it.

    They begin at *start_bytes*: what was asked for, or 0 where something on the way knows nothing of ranges.
    """

    @property
    def start_bytes(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


class Part(AbstractContextManager["Part", None], Protocol):
    """
    What is here of an archive that is not whole yet. Leaving the context keeps it for the next time.

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
        Give it its name; when this returns, name and bytes survive a power cut. Nothing follows but leaving.

        Raises:
            LocalConflict: the name is taken, and it is not to *replace* anything.
        """


class Landing(Protocol):
    """Where pulled archives land: ``DIR/{FULL,INC,DIFF}/NAME``, and ``NAME.part`` until they are whole."""

    def find(self, archive: BackupArchive) -> LocalArchive | None:
        """What lies here under the type and name of *archive*, whatever bytes it has."""

    def begin(self, archive: BackupArchive) -> Part:
        """
        Go on with what is here of *archive*, which may be nothing.

        Raises:
            PullInProgress: another process does.
            LocalDiskFull: what is missing of it cannot fit.
            FolderUnusable: nothing can be written there.
        """


class ArchiveSource(Protocol):
    """Where archives come from. Safe to call from several threads at once. No method tries again."""

    @property
    def shown_url(self) -> str:
        """The address for people, without a password."""

    def read(self, archive: BackupArchive, start: int = 0) -> Download:
        """
        The bytes of *archive* from *start* on, which is less than its size.

        Raises:
            ArchiveNotFound: it is not stored, or not with these bytes.
        """

    def suspect(self, archive: BackupArchive) -> None:
        """Tell the server that what came of *archive* is not what it should be, so that it reads it again."""


@frozen
class ServerFacts:
    """What a server says of itself: its limits (None is none), and the scopes that it grants for a profile."""

    max_upload_bytes: int | None
    max_unpacked_bytes: int | None
    scopes: frozenset[str]


class Remote(ArchiveSource, Protocol):
    """A Tarkeep server, over whatever line."""

    def facts(self, profile: str) -> ServerFacts | None:
        """What it takes, and what may be done for *profile*; None from one that does not tell."""

    def verify(self, profile: str | None, entries: Iterable[InventoryEntry]) -> SyncReport:
        """Compare *entries* with what the server holds, of one profile or of all."""

    def archives(self, *, profile: str | None = None, type: BackupType | None = None) -> Iterator[BackupArchive]:
        """Every stored archive, oldest receipt first, page by page."""

    def totals(self) -> list[Totals]:
        """What each profile holds, by type."""

    def put(
        self,
        id: ArchiveId,
        blocks: Iterable[bytes],
        size_bytes: int | None,
        digests: DeclaredDigests,
        lineage: Lineage = NO_LINEAGE,
        taken_at: datetime | None = None,
        notes: tuple[str, ...] = (),
    ) -> BackupArchive:
        """
        Send a whole archive in one request, of unknown length with *size_bytes* None; the archive as it is stored.

        The name in the answer may be another, where the server keeps both. *taken_at* (aware) goes before any time that
        the name tells. *notes* are kept with it, for people.

        Raises:
            ParentMoved: the server would continue from another archive than the one in *lineage*.
        """

    def create_upload(
        self,
        id: ArchiveId,
        size_bytes: int | None,
        digests: DeclaredDigests,
        lineage: Lineage = NO_LINEAGE,
        taken_at: datetime | None = None,
    ) -> str:
        """
        Begin a resumable upload; its address. *taken_at* as for `put`.

        Raises:
            ParentMoved: as for `put`.
        """

    def drop_upload(self, upload: str) -> None:
        """End *upload* without an archive."""

    def upload_progress(self, upload: str) -> UploadProgress:
        """
        Where *upload* stands.

        Raises:
            UploadGone: expired, ended, or never there: begin anew.
        """

    def append(
        self,
        upload: str,
        offset_bytes: int,
        blocks: Iterable[bytes],
        count_bytes: int | None,
        total_bytes: int | None = None,
        notes: tuple[str, ...] = (),
    ) -> UploadProgress:
        """
        Send *blocks*, the *count_bytes* bytes from *offset_bytes* on, None where nobody knows how many.

        *total_bytes* declares the length that was left open at creation; *notes* are kept with the archive that these
        bytes end, for people.

        Raises:
            OffsetMismatch: the server is elsewhere; ask `upload_progress`.
            UploadGone: as there.
        """
