"""
What a server says of a profile's chain, and the port through which it is asked.

The server has decided; nothing here is judged again. Words that only people read (evidence, fidelity, kind) stay as
the server says them, so that a newer one may have more of them. Paths are bytes, as the archives have them.
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
    A restore point. *length* archives restore it, itself among them; *path_bytes* is the size of all that.

    *evidence* is the weakest of the path, *link_evidence* that of this archive and its *parent*, with a *reason*.
    *obstacles* say why it does not restore, *doubts* what is odd about it, a sentence each; *notes* are what its sender
    says of it. *is_sound* and *gaps* are what its plan says, too.
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

    @property
    def is_dated_ahead(self) -> bool:
        """Whether it says to be of a time that had not come when it was received."""
        return is_dated_ahead(self.taken_at, self.received_at)


@frozen
class PointDetail:
    """
    What there is to say of one point alone: *obstacles* all along its path, a sentence each, and *doubts* about its
    archive itself, each with its code.

    *not_archived* are names that the archive leaves to the one before and that are not there either, as paths, the
    first few of *not_archived_count*, which is None where the server does not tell. *gaps* counts names that its
    archives have and that nobody could extract.
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
    """What the next dump continues from; *snapshot_sha256* is of tar's snapshot file as that dump left it."""

    id: ArchiveId
    taken_at: datetime
    snapshot_sha256: str
    chain_length: int


@frozen
class RestoreStep:
    """One archive of a plan; *is_incremental* tells that tar knows from it what was deleted."""

    id: ArchiveId
    size_bytes: int
    sha256: str
    is_incremental: bool


@frozen
class RestorePlan:
    """
    The archives that restore *point*, in order; *size_bytes* is what they have together.

    *is_sound* is false where tar would restore something else from them, for all that they hold: a tree that only the
    server can put together. *lacks* counts names that are not given back, or not for certain, of what was asked for;
    *unknown* has a sentence for each reason why there may be more, which nobody can name. The warnings tell the first.
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
        """Whether nothing lacks of what it restores, and nothing is in doubt."""
        return not self.lacks and not self.unknown

    @property
    def is_exact(self) -> bool:
        """Whether deletions are known all along."""
        return all(step.is_incremental for step in self.steps)


@frozen
class RemoteTreeEntry:
    """
    What lay at *path* at some time; *mtime_ns* is nanoseconds since the epoch, *mode* permission bits.

    *archive* is the one that holds its content. None is what no archive tells, as of the directories above a dump's.
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
    A name that is not given back, and why; or one that is, though it may be out of date (*is_given*). *is_of_tree*
    where the server lists it in the tree all the same.
    """

    path: bytes
    reason: str
    is_given: bool = False
    is_of_tree: bool = False


Tell: TypeAlias = Callable[[Counts], None]
"""Is told how many names of what is listed cannot be given back, or may be out of date."""

Warn: TypeAlias = Callable[[str], None]
"""Is told, in a sentence, of a point that was passed over in choosing by time."""


@frozen
class RemoteVersion:
    """What one archive says of a path; *other* is where it was renamed to or from."""

    archive: ArchiveId
    taken_at: datetime
    event: str
    type: str | None
    size_bytes: int | None
    mtime_ns: int | None
    other: bytes | None


class RemoteChains(Protocol):
    """
    A server's knowledge of chains, over whatever line. *at* is a time, ``latest``, or an archive's name.

    Every method may raise `ServerUnreachable`, `Unauthorized` and `Refused`, and where there is no such thing
    `RemoteNotFound`.
    """

    def points(self, profile: str) -> list[StoredPoint]:
        """Every restore point, oldest first."""

    def detail(self, id: ArchiveId) -> PointDetail:
        """The point of one archive, whether it restores or not."""

    def base(self, profile: str, type: BackupType) -> Base | None:
        """What the next dump of *type* continues from, of which the server has the snapshot file."""

    def snapshot(self, id: ArchiveId) -> bytes:
        """tar's snapshot file, as the dump left it."""

    def put_snapshot(self, id: ArchiveId, snapshot: bytes) -> None:
        """Give tar's snapshot file into custody."""

    def plan(self, profile: str, at: str, *, path: bytes = b"", allow_gaps: bool = False) -> RestorePlan:
        """
        How to restore the tree as it was *at* some time, or what lay at *path*; with *allow_gaps* whatever lacks.

        Raises:
            NotRestorable: it cannot be.
        """

    def gaps(self, profile: str, at: str, path: bytes = b"") -> Iterator[LackingName]:
        """What lacks of the tree, or of what lay at *path*, page by page."""

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
        What lay in *path*, page by page, or at it where that was no directory; with *recursive* everything below *path*
        and nothing else. *tell* is called where names lack, *warn* for each point that was passed over.
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
        What has a name like *name*, a part of one or a pattern, page by page. *tell* and *warn* are as for `tree`.
        """

    def history(self, profile: str, path: bytes) -> list[RemoteVersion]:
        """What became of *path* with each archive that changed it, oldest first; nothing where it never was."""

    def restored(self, profile: str, at: str, path: bytes, *, allow_gaps: bool = False) -> Download:
        """
        One tar of what lay at *path* and below, with *allow_gaps* without the names that lack.

        Raises:
            NotRestorable: it cannot be.
        """
