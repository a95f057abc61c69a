"""
What the server makes of a dump that it has just stored: whether its point restores, and whether all is in it.

Of a proven chain nothing can be missing but what tar left out. What it left out on purpose, tar itself tells when it is
asked: the names that it would archive by the same options were forgotten. GNU tar 1.34 does that where it mistakes
renamed directories for each other. Nothing but a FULL has them, so one is due then.
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
"""Codes of doubts about the type that an archive was sent as, of which whoever made the dump knows better."""


@frozen
class DumpVerdict:
    """
    What is to be said of a dump.

    *obstacles* are why it does not restore, *forgotten* names that it lacks, some of them, as paths. *left_out* are
    new names, some of *left_out_count*, that it lacks on purpose. *doubts* are what else is odd about it, *harmless*
    those that are none to whoever made it. *gaps* counts names that nobody could extract. *fidelity* is how faithfully
    it restores.
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
        """It restores, to all that it was to have."""
        return not self.obstacles and not self.forgotten

    @property
    def fault(self) -> str:
        """What is wrong with it, a sentence without an end; nothing where it is good."""
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
        """That it restores less than faithfully, a sentence without an end; nothing where it does."""
        return f"it restores as {self.fidelity} only" if self.fidelity != _EXACT else ""

    @property
    def gap(self) -> str:
        """What of it nobody could extract, a sentence without an end; another FULL would have it likewise."""
        return f"{counted(self.gaps, 'name')} of it cannot be given back: see its plan" if self.gaps else ""


@frozen
class AskVerdict:
    """Ask the server what it makes of a dump."""

    chains: RemoteChains
    dumper: Dumper
    retrying: Retrying

    def lacks_files(self, id: ArchiveId, source: DumpSource, notice: Notice) -> bool:
        """
        Whether tar forgot files of *source* in *id*; false where the server does not tell.

        Raises:
            ServerUnreachable, Refused, Unauthorized: as calling.
        """
        try:
            told = self.retrying(lambda: self.chains.detail(id), on_retry=notice)
        except RemoteNotFound:
            return False
        return bool(self.dumper.archivable(source, told.not_archived))

    def full_that_is_no_better(self, profile: str, verdict: DumpVerdict, notice: Notice) -> ArchiveId | None:
        """
        The newest FULL, where it does not restore either though its archives are good, so that another would not help.

        None where a FULL is what puts right what *verdict* tells.

        Raises:
            ServerUnreachable, Refused, Unauthorized: as calling.
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
        What is to be said of *id*, a dump of *source*; None where the server does not tell of single points. What tar
        found *unreadable* is told by whoever made the dump, and was not left out.

        Raises:
            ServerUnreachable, Refused, Unauthorized: the server, after trying again where that may help.
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
        # told by their names; and of what it lists itself and has not, tar has told whoever made it
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
        """Why nothing can be planned that restores *id*; nothing where something can."""
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
    """What a dump lacks on purpose, for people; nothing where that is nothing new."""
    if not verdict.left_out:
        return ""
    names = ", ".join(path_text(path) for path in verdict.left_out[:_SHOWN])
    return f"not archived, since left out: {counted(verdict.left_out_count, 'new name')}, such as {names}"
