"""What a drill needs: the server that says what to restore and judges it, and a place where tar can do no harm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from attrs import frozen

from ...drills.drill import DrilledArchive, DrillWay
from ...drills.manifest import ManifestLine
from ...identity.archive_id import ArchiveId
from .remote import Download


@frozen
class DueDrill:
    """
    What is to be restored: *point*, from *archives* in order or as one tar, as *way* says; of the tree only *folders*,
    if there are any, which hold *share* of its bytes. tar is stopped after *minutes*.
    """

    id: str
    point: ArchiveId
    way: DrillWay
    archives: tuple[DrilledArchive, ...]
    minutes: int
    is_exact: bool = True
    folders: tuple[bytes, ...] = ()
    share: float = 1.0


@frozen
class RestoredAs:
    """How a restore went: see `DrillReport`."""

    seconds: float
    tar: str
    sandbox: str
    said: tuple[str, ...] = ()
    error: str = ""


@frozen
class DrillVerdict:
    """
    What the server says of a drill or a rehearsal, the *kind*. Words that only people read stay as it sends them.
    """

    kind: str
    point: ArchiveId
    way: str
    outcome: str
    began: str
    archives: int
    share: float
    expected: int
    names: int
    restored_bytes: int
    seconds: float
    different: int
    differences: tuple[tuple[bytes, str], ...]
    not_compared: tuple[str, ...]
    error: str

    @property
    def is_equal(self) -> bool:
        return self.outcome == "equal"


class RemoteDrills(Protocol):
    """
    The drills of a server, over whatever line.

    Every method may raise `ServerUnreachable`, `Unauthorized` and `Refused`, and `RemoteNotFound` for things that do
    not exist.
    """

    def due(self, profile: str | None = None) -> DueDrill | None:
        """What is to be restored next, of *profile* even if it is not due; None if nothing is."""

    def archive(self, archive: DrilledArchive) -> Download:
        """The stored bytes of *archive*."""

    def merged(self, drill: DueDrill, folder: bytes = b"") -> Download:
        """The tree of *drill* as one tar, or what is at and below *folder*."""

    def report(self, drill: DueDrill, restored: RestoredAs, lines: Iterable[ManifestLine]) -> DrillVerdict:
        """Report what was restored, and get the judgement."""

    def recent(self, profile: str | None = None, limit: int = 100) -> list[DrillVerdict]:
        """The last drills and rehearsals, the newest first."""


@frozen
class TrialChain:
    """
    A FULL and an INC as plain tars, what they must restore to, and the INC again with one byte changed in the file at
    *changed*.
    """

    full: bytes
    inc: bytes
    changed_inc: bytes
    changed: bytes
    lines: tuple[ManifestLine, ...]


class DrillRoom(Protocol):
    """
    An empty folder of this machine, and a tar that can write there and nowhere else.

    tar runs without network, without any right of the caller, and reads nothing but the system's programs; what it is
    given comes on its standard input.
    """

    @property
    def sandbox(self) -> str:
        """What keeps tar inside, in a word."""

    @property
    def tar(self) -> str:
        """The version of tar."""

    def opened(self) -> AbstractContextManager[None]:
        """
        The folder exists while in the context.

        Raises:
            SandboxUnusable: on entering, nothing on this machine keeps tar inside.
            FolderUnusable: on entering, the folder cannot be made.
            TarUnusable: on entering, there is no GNU tar.
        """

    def trial(self) -> TrialChain:
        """A small chain, made anew by the tar of this machine."""

    def extract(self, blocks: Iterable[bytes], *, incremental: bool, seconds: float) -> tuple[str, ...]:
        """
        Extract the tar in *blocks* over what is there; if *incremental*, also remove what it lists as removed. Returns
        what tar said, also if it complained.

        Raises:
            DrillStopped: it took longer than *seconds*, was killed, or the folder has no more room.
        """

    def lines(self) -> Iterator[ManifestLine]:
        """What is there now, in the order of manifests."""

    def clear(self) -> None:
        """Remove everything that was extracted."""
