"""
The chains of a profile as a picture: where each archive stands, and what it builds on.

The rules:

1. Newer chains are above older ones. A chain begins at the left; archives next to each other in time that build on
   nothing and carry nothing share rows, the newest at the left. From each archive its row goes on with what most
   builds on; what else builds on it is in rows below, so that no line crosses an archive.
2. What builds on one archive and carries nothing is together in one row, each with a line of its own.
3. A row shows at most `MOST_IN_ROW` archives, the picture `MOST_NODES`. The others are counted in *folds*, with all
   that builds on them: each archive is shown or counted once, and each link is drawn or counted once.

Places are rows and columns from 0. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import define, field, frozen

from ...chains.link import Evidence
from ...chains.neighbours import order
from ...chains.standing import PlacedArchive, parents_first
from ...identity.archive_id import ArchiveId
from ...text.counted import counted

MOST_NODES = 200
MOST_IN_ROW = 12
_FROM_END = 7  # of a row that is folded, the newest archives tell more than the oldest


@frozen
class PicturedArchive:
    """An archive in a picture; *builds_on* is None also where that is not known, or closes a circle."""

    place: PlacedArchive
    row: int
    column: int
    builds_on: ArchiveId | None

    @property
    def is_lost(self) -> bool:
        """Whether it should build on something that is not there."""
        return self.builds_on is None and self.place.link is not None and not self.place.link.is_base


@frozen
class Fold:
    """What is not shown: so many *archives* of a chain, or of several, and *links* among them and to what is shown."""

    row: int
    column: int
    archives: int
    links: int


@frozen
class ChainLine:
    """
    A line from one place to another, downward if they are in different rows.

    It is the link of *child*, or leads to a fold if that is None; *is_proven* is said of all links that it stands for.
    """

    from_row: int
    from_column: int
    row: int
    column: int
    is_proven: bool
    child: ArchiveId | None


@frozen
class ChainPicture:
    """A picture with so many *rows* and *columns*; *chains* is the number of chains in it."""

    archives: tuple[PicturedArchive, ...]
    folds: tuple[Fold, ...]
    lines: tuple[ChainLine, ...]
    rows: int
    columns: int
    chains: int

    @property
    def words(self) -> str:
        """The picture in a sentence without its full stop."""
        shown, folded = len(self.archives), sum(fold.archives for fold in self.folds)
        text = f"{counted(shown + folded, 'archive')} in {counted(self.chains, 'chain')}"
        return f"{text}, {shown} of them shown" if folded else text


def chain_picture(places: Sequence[PlacedArchive]) -> ChainPicture:
    """
    The picture of *places*, all archives of a profile in the order in which they were taken.

    Cost: O(n log n).
    """
    drawing = _Drawing(_Forest.of(places))
    roots = drawing.forest.roots[::-1]
    for number, root in enumerate(roots):
        if not drawing.left:
            drawing.rest(roots[number:])
            break
        drawing.root(root)
    taken = [one.column for one in drawing.archives] + [fold.column for fold in drawing.folds]
    columns = max(taken, default=-1) + 1
    return ChainPicture(
        tuple(drawing.archives), tuple(drawing.folds), tuple(drawing.lines), drawing.rows, columns, len(roots)
    )


@frozen
class _Forest:
    """What builds on what: *children* in the order in which they were taken, *sizes* of all that builds on one."""

    places: Mapping[ArchiveId, PlacedArchive]
    roots: Sequence[ArchiveId]
    children: Mapping[ArchiveId, Sequence[ArchiveId]]
    sizes: Mapping[ArchiveId, int]
    unproven: Mapping[ArchiveId, int]

    @staticmethod
    def of(places: Sequence[PlacedArchive]) -> _Forest:
        known = {place.archive.id: place for place in places}
        number = {id: at for at, id in enumerate(known)}
        parents = {id: None if place.link is None else place.link.parent for id, place in known.items()}
        children: dict[ArchiveId, list[ArchiveId]] = {id: [] for id in known}
        roots: list[ArchiveId] = []
        in_order: dict[ArchiveId, ArchiveId | None] = {}
        for id in parents_first(parents, lambda id: order(known[id].archive)):
            parent = parents[id]
            # one that comes before its parent closes a circle, and begins a chain all the same
            in_order[id] = parent if parent in in_order else None
            (roots if parent is None or parent not in in_order else children[parent]).append(id)
        sizes, unproven = dict.fromkeys(known, 1), {id: int(not _is_proven(place)) for id, place in known.items()}
        for id, parent in reversed(in_order.items()):
            if parent is not None:
                sizes[parent] += sizes[id]
                unproven[parent] += unproven[id]
        for some in (roots, *children.values()):
            some.sort(key=number.__getitem__)
        return _Forest(known, roots, children, sizes, unproven)

    def line_from(self, first: ArchiveId) -> list[ArchiveId]:
        """*first* and those after it in its row: each time the one on which most builds, the oldest of several."""
        line = [first]
        while below := self.children[line[-1]]:
            line.append(max(below, key=self.sizes.__getitem__))
        return line


@define
class _Drawing:
    forest: _Forest
    left: int = MOST_NODES
    rows: int = 0
    archives: list[PicturedArchive] = field(factory=list)
    folds: list[Fold] = field(factory=list)
    lines: list[ChainLine] = field(factory=list)
    bare_roots: int = 0
    """How many archives that carry nothing are in the last row, which has nothing else."""

    def root(self, first: ArchiveId) -> None:
        """Draw a chain: in a row of its own, or beside others if it is one archive."""
        if self.forest.sizes[first] > 1:
            self.bare_roots = 0
            self.chain(first, None, self.next_row(), 0)
            return
        self.bare_roots = self.bare_roots % MOST_IN_ROW + 1
        row = self.next_row() if self.bare_roots == 1 else self.rows - 1
        self._show(first, None, row, self.bare_roots - 1)

    def chain(self, first: ArchiveId, on: ArchiveId | None, row: int, column: int) -> None:
        """Draw *first*, which builds *on* another, and all that builds on it; at least one archive may be shown."""
        line = self.forest.line_from(first)
        hidden, columns, before = self._hidden(len(line)), dict[ArchiveId, int](), on
        for number, id in enumerate(line):
            if number == hidden.start and hidden:
                behind = line[hidden.stop] if hidden.stop < len(line) else None
                self._fold([id], row, column + number, but=behind)
                self.lines.append(self._line_to_fold([id], (row, column + number - 1), (row, column + number), behind))
            if number in hidden:
                before = id
                continue
            at = column + number - max(len(hidden) - 1, 0) * (number >= hidden.stop)
            if number:
                self._link(id, (row, at - 1), (row, at))
            self._show(id, before, row, at)
            columns[id], before = at, id
        continued = set(line)
        for id, at in reversed(columns.items()):  # the last first, so that no line crosses an archive
            self._beside(id, [one for one in self.forest.children[id] if one not in continued], row, at)

    def _beside(self, on: ArchiveId, some: Sequence[ArchiveId], row: int, column: int) -> None:
        """Draw what builds *on* the archive at *row* and *column* and does not go on in its row."""
        sizes = self.forest.sizes
        groups = [[one for one in some if sizes[one] == 1], *([one] for one in some if sizes[one] > 1)]
        waiting = [group for group in groups if group]
        while waiting:
            below = self.next_row()
            if not self.left:
                rest = [one for group in waiting for one in group]
                self._fold(rest, below, column + 1)
                self.lines.append(self._line_to_fold(rest, (row, column), (below, column + 1)))
                return
            group = waiting.pop(0)
            if sizes[group[0]] > 1:
                self._link(group[0], (row, column), (below, column + 1))
                self.chain(group[0], on, below, column + 1)
            else:
                self._bare(group, on, (row, column), below)

    def _bare(self, some: Sequence[ArchiveId], on: ArchiveId, start: tuple[int, int], row: int) -> None:
        """Draw archives that carry nothing, and all build *on* the one at *start*."""
        hidden, at = self._hidden(len(some)), start[1] + 1
        for number, id in enumerate(some):
            if number not in hidden:
                self._link(id, start, (row, at))
                self._show(id, on, row, at)
            elif number == hidden.start:
                folded = some[hidden.start : hidden.stop]
                self._fold(folded, row, at)
                self.lines.append(self._line_to_fold(folded, start, (row, at)))
            else:
                continue
            at += 1

    def rest(self, roots: Sequence[ArchiveId]) -> None:
        """Fold whole chains."""
        archives = sum(self.forest.sizes[root] for root in roots)
        self.folds.append(Fold(self.next_row(), 0, archives, archives - len(roots)))

    def next_row(self) -> int:
        """A row below all others."""
        self.rows += 1
        return self.rows - 1

    def _hidden(self, number: int) -> range:
        """Which of a *number* of archives in a row are not shown."""
        if number <= min(MOST_IN_ROW, self.left):
            return range(number, number)
        shown = max(min(MOST_IN_ROW, self.left) - 1, 1)  # the fold takes a place, too
        from_end = min(_FROM_END, shown - 1)
        return range(shown - from_end, number - from_end)

    def _show(self, id: ArchiveId, on: ArchiveId | None, row: int, column: int) -> None:
        self.left -= 1
        self.archives.append(PicturedArchive(self.forest.places[id], row, column, on))

    def _link(self, child: ArchiveId, start: tuple[int, int], end: tuple[int, int]) -> None:
        self.lines.append(ChainLine(*start, *end, _is_proven(self.forest.places[child]), child))

    def _fold(self, some: Sequence[ArchiveId], row: int, column: int, but: ArchiveId | None = None) -> None:
        """Fold *some* with all that builds on them, but for one and what builds on that."""
        sizes = self.forest.sizes
        archives = sum(sizes[one] for one in some) - (0 if but is None else sizes[but])
        self.folds.append(Fold(row, column, archives, archives))

    def _line_to_fold(
        self, some: Sequence[ArchiveId], start: tuple[int, int], end: tuple[int, int], but: ArchiveId | None = None
    ) -> ChainLine:
        unproven = self.forest.unproven
        left = sum(unproven[one] for one in some) - (0 if but is None else unproven[but])
        return ChainLine(*start, *end, not left, None)


def _is_proven(place: PlacedArchive) -> bool:
    return place.link is not None and place.link.evidence is Evidence.PROVEN
