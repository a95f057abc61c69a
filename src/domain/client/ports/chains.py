"""
What a server says of a profile's chain, and the port through which the client asks it.

The server has decided; the client judges nothing again. Words that only people read (evidence, fidelity, kind) stay as
the server sends them, so that a newer server may use more of them. Paths are bytes, as in the archives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Protocol, TypeAlias

from attrs import frozen

from ...archives.archive import is_dated_ahead
from ...identity.archive_id import ArchiveId, BackupType
from ...text.lack_counts import NONE, Counts
from .remote import Download

LATEST = "latest"


@frozen
class StoredPoint:
    """
    A restore point. *length* archives restore it, its own included; *path_bytes* is the size of them all.

    *evidence* is the weakest on the path, *link_evidence* that of the link from this archive to its *parent*, with a
    *reason*. *obstacles* say why it does not restore, *doubts* what is odd about it, one sentence each; *notes* come
    from its sender. *is_sound*, *distrust* and *gaps* are those of its plan. *restore_minutes* is how long
    restoring it takes, as drills have measured it, None if none has.
    """

    id: ArchiveId
    size_bytes: int
    taken_at: datetime
    received_at: datetime
    kind: str | None
    state: str
    is_restorable: bool
    fidelity: str
    evidence: str | None
    parent: ArchiveId | None
    link_evidence: str | None
    reason: str
    length: int
    path_bytes: int
    has_snapshot: bool
    obstacles: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_sound: bool = True
    gaps: int = 0
    distrust: str = ""
    restore_minutes: float | None = None

    @property
    def is_dated_ahead(self) -> bool:
        """Whether its declared time was still in the future when it was received."""
        return is_dated_ahead(self.taken_at, self.received_at)


@frozen
class PointDetail:
    """
    What the server says of one point when asked for it alone: the *obstacles* on its whole path, one sentence each, and
    the *doubts* about its own archive, each with its code.

    *not_archived* are the paths of names that the archive leaves to the one before and that the one before lacks, too:
    the first few of *not_archived_count*, which is None if the server does not report it. *gaps* counts names that its
    archives have but that cannot be extracted.
    """

    id: ArchiveId
    fidelity: str
    obstacles: tuple[str, ...] = ()
    doubts: tuple[tuple[str, str], ...] = ()
    not_archived: tuple[bytes, ...] = ()
    not_archived_count: int | None = None
    gaps: int = 0


@frozen
class Base:
    """What the next dump continues from; *snapshot_sha256* is that of tar's snapshot file as this dump left it."""

    id: ArchiveId
    taken_at: datetime
    snapshot_sha256: str
    chain_length: int


@frozen
class RestoreStep:
    """One archive of a plan; *is_incremental* means that it tells tar which files were deleted."""

    id: ArchiveId
    size_bytes: int
    sha256: str
    is_incremental: bool


@frozen
class RestorePlan:
    """
    The archives that restore *point*, in order; *size_bytes* is their total size.

    *is_sound* is false where tar would restore another tree from these archives, although they hold everything: only
    the server can put that tree together. *lacks* counts the requested names that are not given back, or not for
    certain; *unknown* has one sentence for each reason why more names may lack that cannot be listed. The warnings
    repeat the counts.
    """

    point: ArchiveId
    taken_at: datetime
    fidelity: str
    evidence: str | None
    size_bytes: int
    steps: tuple[RestoreStep, ...]
    warnings: tuple[str, ...] = ()
    is_sound: bool = True
    lacks: Counts = NONE
    unknown: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the plan restores everything, and nothing is in doubt."""
        return not self.lacks and not self.unknown

    @property
    def is_exact(self) -> bool:
        """Whether every step knows which files were deleted."""
        return all(step.is_incremental for step in self.steps)


@frozen
class RemoteTreeEntry:
    """
    What lay at *path* at some time; *mtime_ns* is in nanoseconds since the epoch, *mode* permission bits.

    *archive* is the one that holds its content. None means that no archive says, as for the directories above a dump's.
    """

    path: bytes
    type: str
    size_bytes: int
    mtime_ns: int | None
    mode: int | None
    uid: int | None
    gid: int | None
    uname: str
    gname: str
    link: bytes
    archive: ArchiveId | None


@frozen
class LackingName:
    """
    A name that is not given back, and why; or one that is given back but may be out of date (*is_given*). *is_of_tree*
    means that the server lists it in the tree all the same.
    """

    path: bytes
    reason: str
    is_given: bool = False
    is_of_tree: bool = False


Tell: TypeAlias = Callable[[Counts], None]
"""Called with the number of listed names that cannot be restored, or may be out of date."""

Warn: TypeAlias = Callable[[str], None]
"""Called with a sentence about each point that was passed over when choosing by time."""


@frozen
class RemoteVersion:
    """What one archive says of a path; *other* is the path it was renamed to or from."""

    archive: ArchiveId
    taken_at: datetime
    event: str
    type: str | None
    size_bytes: int | None
    mtime_ns: int | None
    other: bytes | None


class RemoteChains(Protocol):
    """
    What a server knows of chains, over whatever line. *at* is a time, ``latest``, or an archive's name.

    Every method may raise `ServerUnreachable`, `Unauthorized` and `Refused`, and `RemoteNotFound` for things that do
    not exist.
    """

    def points(self, profile: str) -> list[StoredPoint]:
        """Every restore point, oldest first."""

    def detail(self, id: ArchiveId) -> PointDetail:
        """The point of one archive, whether it restores or not."""

    def base(self, profile: str, type: BackupType) -> Base | None:
        """What the next dump of *type* continues from: an archive whose snapshot file the server has."""

    def snapshot(self, id: ArchiveId) -> bytes:
        """tar's snapshot file, as the dump left it."""

    def put_snapshot(self, id: ArchiveId, snapshot: bytes) -> None:
        """Hand tar's snapshot file to the server."""

    def plan(self, profile: str, at: str, *, path: bytes = b"", allow_gaps: bool = False) -> RestorePlan:
        """
        How to restore the tree as it was *at* some time, or what lay at *path*; with *allow_gaps* even if names lack.

        Raises:
            NotRestorable: the tree or *path* cannot be restored.
        """

    def gaps(self, profile: str, at: str, path: bytes = b"") -> Iterator[LackingName]:
        """The names that lack in the tree, or in what lay at *path*, page by page."""

    def tree(
        self,
        profile: str,
        at: str,
        path: bytes = b"",
        *,
        recursive: bool = False,
        allow_gaps: bool = False,
        tell: Tell | None = None,
        warn: Warn | None = None,
    ) -> Iterator[RemoteTreeEntry]:
        """
        The contents of *path*, page by page, or *path* itself if it was no directory; with *recursive* everything below
        *path* and nothing else. *tell* is called if names lack, *warn* for each point that was passed over.
        """

    def find(
        self,
        profile: str,
        at: str,
        name: str,
        *,
        allow_gaps: bool = False,
        tell: Tell | None = None,
        warn: Warn | None = None,
    ) -> Iterator[RemoteTreeEntry]:
        """
        Entries whose names match *name*, a part of a name or a pattern, page by page. *tell* and *warn* are as for
        `tree`.
        """

    def history(self, profile: str, path: bytes) -> list[RemoteVersion]:
        """The versions of *path* from each archive that changed it, oldest first; empty if it never existed."""

    def restored(self, profile: str, at: str, path: bytes, *, allow_gaps: bool = False) -> Download:
        """
        One tar of *path* and everything below; with *allow_gaps* without the names that lack.

        Raises:
            NotRestorable: *path* cannot be restored.
        """
