"""
The server's verdict on a dump that it has just stored: whether its point restores, and whether the dump is complete.

A proven chain can lack only names that tar left out. To tell names left out on purpose from forgotten ones, the client
asks tar which of them it would archive with the same options: those were forgotten. GNU tar 1.34 forgets files when it
mistakes renamed directories for each other. Only a FULL brings them back, so one is due then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from ...errors.client import NotRestorable, RemoteNotFound
from ...identity.archive_id import ArchiveId, BackupType
from ...text.counted import counted
from ...text.paths import path_text
from ..ports.chains import RemoteChains
from ..ports.dumping import Dumper, DumpSource
from ..retrying import Notice, Retrying

_SHOWN = 5
_NOT_ARCHIVED = "not-archived"
_EXACT = "exact"
_ABOUT_TYPE = frozenset({"nothing-unchanged", "unchanged-in-full"})
"""Codes of doubts about an archive's declared type; the client, which made the dump, knows its type for certain."""


@frozen
class DumpVerdict:
    """
    What the server and tar report about a dump.

    *obstacles* are the reasons why it does not restore. *forgotten* are paths that it lacks by tar's mistake, perhaps
    not all of them. *left_out* are new paths left out on purpose, a sample of *left_out_count*. *doubts* are other
    warnings, *harmless* those that do not apply to a dump made by this client. *gaps* counts names that cannot be
    extracted. *fidelity* is how faithfully the point restores.
    """

    obstacles: tuple[str, ...] = ()
    forgotten: tuple[bytes, ...] = ()
    left_out: tuple[bytes, ...] = ()
    left_out_count: int = 0
    doubts: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    gaps: int = 0
    fidelity: str = _EXACT

    @property
    def is_good(self) -> bool:
        """Whether it restores, and tar forgot nothing."""
        return not self.obstacles and not self.forgotten

    @property
    def fault(self) -> str:
        """What is wrong with the dump, a sentence without its full stop; empty if it is good."""
        if self.obstacles:
            return f"it does not restore: {'; '.join(self.obstacles)}"
        if self.forgotten:
            names = ", ".join(path_text(path) for path in self.forgotten[:_SHOWN])
            more = len(self.forgotten) - _SHOWN
            return (
                "tar mistook renamed directories for each other, so that it lacks files that have not changed, such as "
                f"{names}{f' and {more} more' if more > 0 else ''}"
            )
        return ""

    @property
    def loss(self) -> str:
        """The reduced fidelity of its restore, a sentence without its full stop; empty if it restores exactly."""
        return f"it restores as {self.fidelity} only" if self.fidelity != _EXACT else ""

    @property
    def gap(self) -> str:
        """How many names cannot be extracted, a sentence without its full stop; another FULL would not help."""
        return f"{counted(self.gaps, 'name')} cannot be restored: see its plan" if self.gaps else ""


@frozen
class AskVerdict:
    """Ask the server for its verdict on a dump."""

    chains: RemoteChains
    dumper: Dumper
    retrying: Retrying

    def lacks_files(self, id: ArchiveId, source: DumpSource, notice: Notice) -> bool:
        """
        Whether tar forgot files of *source* in *id*; false if the server does not know the point.

        Raises:
            ServerUnreachable, Refused, Unauthorized: as for `__call__`.
        """
        try:
            told = self.retrying(lambda: self.chains.detail(id), on_retry=notice)
        except RemoteNotFound:
            return False
        return bool(self.dumper.archivable(source, told.not_archived))

    def full_that_is_no_better(self, profile: str, verdict: DumpVerdict, notice: Notice) -> ArchiveId | None:
        """
        The newest FULL if it does not restore either, although its archive is intact: another FULL would not help.

        None if a FULL would resolve what *verdict* reports.

        Raises:
            ServerUnreachable, Refused, Unauthorized: as for `__call__`.
        """
        if not verdict.obstacles:
            return None
        points = self.retrying(lambda: self.chains.points(profile), on_retry=notice)
        fulls = [point for point in points if point.id.type is BackupType.FULL]
        if not fulls or not fulls[-1].is_restorable or not self._obstacles(fulls[-1].id, notice):
            return None
        return fulls[-1].id

    def __call__(
        self, id: ArchiveId, source: DumpSource, notice: Notice, unreadable: Iterable[bytes] = ()
    ) -> DumpVerdict | None:
        """
        The verdict on *id*, a dump of *source*; None if the server does not report single points. *unreadable* are the
        paths that tar could not read: the caller reports them, so they do not count as left out.

        Raises:
            ServerUnreachable, Refused, Unauthorized: the server failed or refused, after retries.
        """
        try:
            told = self.retrying(lambda: self.chains.detail(id), on_retry=notice)
        except RemoteNotFound:
            return None
        obstacles = told.obstacles or self._obstacles(id, notice)
        forgotten = self.dumper.archivable(source, told.not_archived)
        not_read = {path.rstrip(b"/") for path in unreadable}
        others = tuple(path for path in told.not_archived if path not in set(forgotten))
        left_out = tuple(path for path in others if not_read.isdisjoint(_with_those_above(path)))
        # the names themselves are reported, and tar warned the caller of those that it lists but did not archive
        is_told = told.not_archived_count is not None
        doubts = [
            detail
            for code, detail in told.doubts
            if code not in _ABOUT_TYPE and not (code == _NOT_ARCHIVED and is_told)
        ]
        harmless = tuple(detail for code, detail in told.doubts if code in _ABOUT_TYPE)
        return DumpVerdict(
            obstacles,
            forgotten,
            left_out,
            (told.not_archived_count or 0) - (len(told.not_archived) - len(left_out)),
            tuple(doubts),
            harmless,
            told.gaps,
            told.fidelity,
        )

    def _obstacles(self, id: ArchiveId, notice: Notice) -> tuple[str, ...]:
        """Why no plan restores *id*; empty if one does."""
        try:
            self.retrying(lambda: self.chains.plan(id.profile, id.label), on_retry=notice)
        except NotRestorable as error:
            return error.obstacles or (str(error),)
        return ()


def _with_those_above(path: bytes) -> Iterator[bytes]:
    while path:
        yield path
        path = path.rpartition(b"/")[0]


def left_out_text(verdict: DumpVerdict) -> str:
    """The new names that a dump leaves out on purpose, in words; empty if there are no new ones."""
    if not verdict.left_out:
        return ""
    names = ", ".join(path_text(path) for path in verdict.left_out[:_SHOWN])
    return f"not archived, since left out: {counted(verdict.left_out_count, 'new name')}, such as {names}"
