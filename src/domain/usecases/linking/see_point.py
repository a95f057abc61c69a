"""
Examining the names of a point, where comparing its archives left something open; mostly nothing is open.

Names are merged only if a name may be in none of the archives, or one member may block another. All other points need
less: the directories of an archive are compared with the links in the archives before it, a state kept from one archive
to the next; the paths of plain archives are compared with those before; and existing directories are checked for what
tar would leave of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from attrs import define, evolve, field

from ...archives.archive import BackupArchive
from ...chains.link import Evidence
from ...chains.seen import CLEAR, Seen, lost_names, names_left_out
from ...chains.standing import Fidelity, PlacedArchive, Standing
from ...comparing.traces import Layer, traces
from ...comparing.untroubled import is_apart
from ...errors.content import MemberUnreadable
from ...errors.restoring import TreeTooLarge
from ...identity.archive_id import ArchiveId
from ...names.footprints import Footprint, Walk
from ...names.name_table import NameTable, OpenTable
from ...tarkeep_error import TarkeepError
from ...text.counted import counted
from ...trees.lacks import Lacks
from ...trees.merging import merge
from ..reading.archive_members import ArchiveMembers

MOST_LOOKED_UP = 200_000
"""Names of plain archives to look up in the archives before, at most; beyond that, merging costs no more."""


class EnoughMerged(Exception):
    """The allowed number of merged points is used up."""


@define(eq=False)
class Seeing:
    """
    Examines points for one purpose, by one thread; points of one chain are cheapest in their order.

    *allowed* is how many points may be merged, any number if None.
    """

    _members: ArchiveMembers
    _allowed: int | None = None
    _walks: dict[ArchiveId, Walk] = field(factory=dict, init=False)

    def __call__(
        self, place: PlacedArchive, parent: PlacedArchive | None, path: Callable[[], Sequence[BackupArchive]]
    ) -> Seen | None:
        """
        What the names of the point of *place* show; *parent* is the place it builds on, with its standing, and *path*
        gives the archives that restore it. None if that could not be found out.

        Raises:
            EnoughMerged: the point has to be merged, which would exceed *allowed*.
        """
        standing = place.standing
        if standing is None or standing.obstructions:
            return CLEAR
        try:
            return self._seen(place, standing, parent, path)
        except TarkeepError:
            return None

    def _seen(
        self,
        place: PlacedArchive,
        standing: Standing,
        parent: PlacedArchive | None,
        path: Callable[[], Sequence[BackupArchive]],
    ) -> Seen:
        before = parent.standing if parent is not None else None
        is_alone = parent is None or before is None
        if is_alone and standing.is_untroubled:
            return CLEAR
        traces = self._traces(place, parent, path)
        if not traces and before is not None and before.seen.gaps and parent is not None:
            traces = f"tar would fail at {counted(before.seen.gaps, 'name')} of {parent.archive.id.label}"
        seen = Seen(objection=self._objection(place.archive, parent, path), traces=traces)
        if standing.fidelity is Fidelity.EXACT:
            if standing.is_untroubled and standing.is_whole:
                return seen
        elif before is not None and self._is_laid_beside(place, before, path):
            return seen
        return self._merged(standing, path(), seen)

    def _objection(
        self, archive: BackupArchive, parent: PlacedArchive | None, path: Callable[[], Sequence[BackupArchive]]
    ) -> str:
        """The reason why tar must not extract the archives, or an empty text."""
        if parent is not None and parent.standing is not None and parent.standing.seen.objection:
            return parent.standing.seen.objection
        walk = self._walks.pop(parent.archive.id, None) if parent is not None else None
        if walk is None:
            own = self._members.footprint(archive)
            if parent is not None and not (own.objection or own.renames) and self._is_like(own, parent.archive):
                return ""  # the parent's walk checked the links before against these same directories
            walk = Walk()
            for one in path():
                walk.take(self._members.footprint(one))
        else:
            walk.take(self._members.footprint(archive))
        self._walks[archive.id] = walk
        return walk.objection

    def _traces(
        self, place: PlacedArchive, parent: PlacedArchive | None, path: Callable[[], Sequence[BackupArchive]]
    ) -> str:
        """What tar would leave different from the original tree."""
        if parent is None or parent.standing is None or place.standing is None:
            return ""
        if parent.standing.seen.traces:
            return parent.standing.seen.traces
        is_exact = place.standing.fidelity is Fidelity.EXACT

        def before() -> Iterator[Layer]:
            yield self._layer(parent.archive)
            yield from map(self._layer, path()[-3::-1])  # mostly the parent is enough, and the path is never read

        try:
            return self._members.again(lambda: traces(self._layer(place.archive), before(), is_exact=is_exact))
        except (MemberUnreadable, TreeTooLarge):
            return ""  # merging reports it

    def _layer(self, archive: BackupArchive) -> Layer:
        return Layer(
            archive.id.label,
            lambda: self._members.table(archive),
            lambda: self._members.footprint(archive).peculiar,
        )

    def _is_like(self, footprint: Footprint, before: BackupArchive) -> bool:
        """Whether both archives have the same directories."""
        return footprint.digest == self._members.footprint(before).digest

    def _is_laid_beside(
        self, place: PlacedArchive, before: Standing, path: Callable[[], Sequence[BackupArchive]]
    ) -> bool:
        """
        Whether no member of a plain archive blocks anything in the archives before it, nor the other way round: then it
        adds nothing to what the point before shows.
        """
        is_known = before.fidelity is not Fidelity.EXACT or (before.length == 1 and before.is_untroubled)
        if place.link is None or not place.link.is_untroubled or not is_known or before.seen.unseen:
            return False
        if before.seen.gaps:  # it may have something at their paths
            return False
        archives = path()
        contents = place.archive.contents
        if contents is None or contents.members * len(archives) > MOST_LOOKED_UP:
            return False

        def look() -> bool:
            table = self._members.table(archives[-1])
            return all(is_apart(table, self._members.table(one)) for one in archives[:-1])

        return self._members.again(look)

    def _merged(self, standing: Standing, archives: Sequence[BackupArchive], seen: Seen) -> Seen:
        if self._allowed is not None:
            if not self._allowed:
                raise EnoughMerged
            self._allowed -= 1
        is_left_out = standing.evidence is Evidence.PROVEN or standing.is_whole
        tables = [self._table(archive, before) for before, archive in pairwise((None, *archives))]
        limit_bytes = self._members.max_names_bytes
        try:
            tree = self._members.again(
                lambda: merge(
                    tables,
                    standing.fidelity is Fidelity.EXACT,
                    is_left_out,
                    limit_bytes,
                    lambda index: self._members.parts(archives[index]),
                )
            )
        except TreeTooLarge as error:
            return evolve(seen, unseen=str(error))
        except MemberUnreadable as error:
            return evolve(seen, lost=str(error))
        left_out = "" if standing.is_whole else names_left_out(tree)
        return evolve(seen, lost=lost_names(tree), gaps=Lacks(tree, archives).count().lacking, left_out=left_out)

    def _table(self, archive: BackupArchive | None, before: BackupArchive | None) -> OpenTable:
        assert archive is not None

        def opened() -> NameTable:
            return self._members.table(archive, before)

        return opened
