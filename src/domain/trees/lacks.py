"""
What is not given back of a point, name by name, where not all of it can be.

Three things take names from a tree: nobody could extract what an archive has of them, the stored bytes of the archive
with their content are damaged, or no archive that is there has them. A fourth leaves a doubt: an archive is missing
from the path, and what those before it have may have changed in it. Such a name is given as it was, and listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from heapq import merge
from operator import itemgetter
from typing import TypeAlias

from attrs import define, field, frozen

from ..archives.archive import BackupArchive
from ..identity.archive_id import ArchiveId
from ..tar.paths import MAX_PATH_BYTES, split
from ..text.lack_counts import Counts
from ..text.paths import SHOWN_BYTES, path_text
from .tree import Gap, GapKind, Tree

_Place: TypeAlias = tuple[bytes, bytes]


@frozen
class Lack:
    """A name that is not given, or not for certain; *archive* is the one that has its content, where one does."""

    path: bytes
    kind: GapKind
    archive: ArchiveId | None = None

    @property
    def is_given(self) -> bool:
        """It is given all the same, as an archive has it that may not be the last that had it."""
        return self.kind is GapKind.UNCERTAIN

    @property
    def reason(self) -> str:
        """Why, as a sentence."""
        match self.kind:
            case GapKind.NO_TARGET:
                return "it is a hard link to nothing that is there"
            case GapKind.IN_THE_WAY:
                return "what is there before it is in its way"
            case GapKind.TOO_DEEP:
                return "its path, or a name in it, is longer than any that can be extracted"
            case GapKind.UPWARDS:
                return "its path has .. in it, and tar extracts nothing of that"
            case GapKind.NO_NAME:
                return "it is no directory and has no name of its own, so that its place is the directory itself"
            case GapKind.BAD_TARGET:
                return f"it is a symbolic link whose target is empty, or longer than {MAX_PATH_BYTES} bytes"
            case GapKind.DAMAGED:
                return f"its content is in {_called(self.archive)}, which is damaged"
            case GapKind.UNCERTAIN:
                return f"its content is that of {_called(self.archive)}, and an archive after that is missing"
        return "its content is in no archive that is there"

    @property
    def sentence(self) -> str:
        """The name, shortened where it is long, with what becomes of it and why."""
        name = path_text(self.path[:SHOWN_BYTES]) or "what has no name"
        return f"{name} {'may be out of date' if self.is_given else 'cannot be given back'}: {self.reason}"


@define(eq=False)
class Lacks:
    """
    What lacks of *tree*, merged from *archives*.

    *damaged* are the numbers of archives whose bytes cannot be had. Those before the number *certain_from* come from
    before an archive that is missing. *is_broken* says that one is missing, or that its names are not known: then
    what is in no archive lacks, too, for nobody knows whether it was left out.
    """

    tree: Tree
    archives: Sequence[BackupArchive]
    damaged: Set[int] = frozenset()
    certain_from: int = 0
    is_broken: bool = False
    _gaps: list[tuple[_Place, Lack]] | None = field(default=None, init=False)

    def count(self, below: bytes = b"") -> Counts:
        """Of the names at and below the canonical path *below*. Cost: that of these names."""
        lacking = uncertain = 0
        for lack in self.all(below):
            uncertain += lack.is_given
            lacking += not lack.is_given
        return Counts(lacking, uncertain)

    def all(self, below: bytes = b"", after: bytes | None = None) -> Iterator[Lack]:
        """Each name once, at and below *below*, by directories in the order of their paths, those behind *after*."""
        last: _Place | None = None
        for place, lack in merge(self._of_gaps(below, after), self._of_tree(below, after), key=itemgetter(0)):
            if place != last:
                yield lack
            last = place

    def has(self, path: bytes) -> bool:
        """Whether *path* itself lacks, or something that is below it and in no directory of the tree."""
        return any(True for _ in self._of_gaps(path, None))

    def _of_gaps(self, below: bytes, after: bytes | None) -> Iterator[tuple[_Place, Lack]]:
        if self._gaps is None:
            told = (gap for gap in self.tree.gaps if self.is_broken or gap.kind.is_loss or gap.kind.is_in_vain)
            self._gaps = sorted(map(_placed, told), key=itemgetter(0))
        start = None if after is None else split(after)
        for place, lack in self._gaps:
            if (start is None or place > start) and _is_at_or_below(lack.path, below):
                yield place, lack

    def _of_tree(self, below: bytes, after: bytes | None) -> Iterator[tuple[_Place, Lack]]:
        before = frozenset(range(self.certain_from))
        concerned = before | self.damaged
        if not concerned:
            return
        # Of a directory there is no more than the record of its member has.
        for path, number, is_directory in self.tree.kept_in(concerned, before, below, after):
            kind = GapKind.DAMAGED if number in self.damaged and not is_directory else GapKind.UNCERTAIN
            yield split(path), Lack(path, kind, self.archives[number].id)


def _placed(gap: Gap) -> tuple[_Place, Lack]:
    return split(gap.path), Lack(gap.path, gap.kind)


def _is_at_or_below(path: bytes, below: bytes) -> bool:
    return not below or path == below or path.startswith(below + b"/")


def _called(id: ArchiveId | None) -> str:
    return id.label if id is not None else "an archive"
