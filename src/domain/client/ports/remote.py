"""
A server to send archives to and to get them from, over whatever line.

Every method of `RemoteStore` may raise `ServerUnreachable` (worth another try), `Unauthorized` and `Refused`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from attrs import frozen

from ...archives.archive import BackupArchive, Lineage
from ...archives.inventory import InventoryEntry, SyncReport
from ...archives.totals import Totals
from ...identity.archive_id import ArchiveId, BackupType
from ...identity.digests import DeclaredDigests
from ...scrubbing.unread import LastChecked

NO_LINEAGE = Lineage()
"""For an archive without any declared lineage."""


@frozen
class UploadProgress:
    """The state of an upload on the server: durable bytes, and the archive once it is stored."""

    offset_bytes: int
    stored: BackupArchive | None = None


class Download(AbstractContextManager["Download", None], Protocol):
    """
    Bytes of a stored archive while they arrive, in blocks of at most 1 MiB; leaving the context ends the download.

    They begin at *start_bytes*: the requested start, or 0 where the server or a proxy ignores ranges.
    """

    @property
    def start_bytes(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


class ArchiveSource(Protocol):
    """A server to get archives from. Safe to call from several threads at once. No method retries."""

    @property
    def shown_url(self) -> str:
        """The address for people, without a password."""

    def read(self, archive: BackupArchive, start: int = 0) -> Download:
        """
        The bytes of *archive* from *start* on, which is less than its size.

        Raises:
            ArchiveNotFound: the server does not have it, or not with these bytes.
        """

    def suspect(self, archive: BackupArchive) -> None:
        """Tell the server that wrong bytes of *archive* arrived, so that it reads the archive again."""


@frozen
class ServerFacts:
    """What a server says of itself: its limits (None means no limit), and the scopes that it grants for a profile."""

    max_upload_bytes: int | None
    max_unpacked_bytes: int | None
    scopes: frozenset[str]


class RemoteStore(ArchiveSource, Protocol):
    """A Tarkeep server, over whatever line."""

    def facts(self, profile: str) -> ServerFacts | None:
        """The server's limits, and the scopes it grants for *profile*; None from a server that does not report them."""

    def verify(self, profile: str | None, entries: Iterable[InventoryEntry]) -> SyncReport:
        """Compare *entries* with what the server holds, of one profile or of all."""

    def archives(self, *, profile: str | None = None, type: BackupType | None = None) -> Iterator[BackupArchive]:
        """Every stored archive, oldest receipt first, page by page."""

    def checked_archives(
        self, *, profile: str | None = None, type: BackupType | None = None
    ) -> Iterator[tuple[BackupArchive, LastChecked]]:
        """The same, and what the server says of when it read them again; nothing, if it is an older one."""

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
        Send a whole archive in one request, of unknown length if *size_bytes* is None. Returns the stored archive.

        The server may have given it another name, to keep both. *taken_at* (aware) takes precedence over any time in
        the name. *notes* are kept with it, for people.

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
        Begin a resumable upload. Returns its address. *taken_at* as for `put`.

        Raises:
            ParentMoved: as for `put`.
        """

    def drop_upload(self, upload: str) -> None:
        """End *upload* without an archive."""

    def upload_progress(self, upload: str) -> UploadProgress:
        """
        Where *upload* stands.

        Raises:
            UploadGone, UploadNotFound: it ended without an archive, or is unknown: begin anew.
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
        Send *blocks*, *count_bytes* bytes (None if unknown) from *offset_bytes* on.

        *total_bytes* declares the length that was left open at creation; *notes* are kept with the archive, for people,
        when these bytes complete it.

        Raises:
            UploadMoved: the server has another offset; ask `upload_progress`.
            UploadGone, UploadNotFound: as for `upload_progress`.
        """
