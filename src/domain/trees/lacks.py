"""
The names of a point that cannot be restored, or only with doubt, if not all of it can be.

A tree lacks names for three reasons: the member cannot be extracted, the content is in an archive whose stored bytes
are damaged, or no stored archive has it. A fourth leaves a doubt: an archive is missing from the path, and names from
archives before it may have changed in it. Such a name is given in its earlier state, and listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from heapq import merge
from operator import itemgetter
from typing import TypeAlias

from attrs import define, field, frozen

from ..archives.archive import BackupArchive
from ..identity.archive_id import ArchiveId
from ..tar.paths import MAX_PATH_BYTES, is_at_or_below, split
from ..text.lack_counts import Counts
from ..text.paths import SHOWN_BYTES, path_text
from .tree import Gap, GapKind, Tree

_Place: TypeAlias = tuple[bytes, bytes]


@frozen
class Lack:
    """A name that cannot be restored, or only with doubt; *archive* is the one with its content, if any."""

    path: bytes
    kind: GapKind
    archive: ArchiveId | None = None

    @property
    def is_given(self) -> bool:
        """Whether it is given back from an archive that may not be the last one that had it."""
        return self.kind is GapKind.UNCERTAIN

    @property
    def reason(self) -> str:
        """Why, as a sentence."""
        match self.kind:
            case GapKind.NO_TARGET:
                return "it is a hard link to something that does not exist"
            case GapKind.IN_THE_WAY:
                return "something else is in its place and cannot be replaced"
            case GapKind.TOO_DEEP:
                return "its path, or a name in it, is too long to be extracted"
            case GapKind.UPWARDS:
                return "its path has .. in it, which tar does not extract"
            case GapKind.NO_NAME:
                return "it is not a directory and has no name, so its place is taken by the top directory itself"
            case GapKind.BAD_TARGET:
                return f"it is a symbolic link whose target is empty, or longer than {MAX_PATH_BYTES} bytes"
            case GapKind.DAMAGED:
                return f"its content is in {_called(self.archive)}, which is damaged"
            case GapKind.UNCERTAIN:
                return f"its content is that of {_called(self.archive)}, and an archive after that one is missing"
        return "its content is in no stored archive"

    @property
    def sentence(self) -> str:
        """The name, shortened if it is long, with what becomes of it and why."""
        name = path_text(self.path[:SHOWN_BYTES]) or "a member without a name"
        return f"{name} {'may be out of date' if self.is_given else 'cannot be restored'}: {self.reason}"


@define(eq=False)
class Lacks:
    """
    The names that *tree*, merged from *archives*, lacks.

    *damaged* are the numbers of archives whose bytes cannot be read. Those before the number *certain_from* are from
    before a missing archive. *is_broken* says that one is missing, or that its names are not known: then names in no
    archive count as lacking, too, since they may not have been left out.
    """

    tree: Tree
    archives: Sequence[BackupArchive]
    damaged: Set[int] = frozenset()
    certain_from: int = 0
    is_broken: bool = False
    _gaps: list[tuple[_Place, Lack]] | None = field(default=None, init=False)

    def count(self, below: bytes = b"") -> Counts:
        """Count names at and below the canonical path *below*. Cost: proportional to these names."""
        lacking = uncertain = 0
        for lack in self.all(below):
            uncertain += lack.is_given
            lacking += not lack.is_given
        return Counts(lacking, uncertain)

    def all(self, below: bytes = b"", after: bytes | None = None) -> Iterator[Lack]:
        """Each name once, at and below *below*, ordered by directory path, those behind *after*."""
        last: _Place | None = None
        for place, lack in merge(self._of_gaps(below, after), self._of_tree(below, after), key=itemgetter(0)):
            if place != last:
                yield lack
            last = place

    def has(self, path: bytes) -> bool:
        """Whether the tree lacks *path* itself, or something below it that is in no directory of the tree."""
        return any(True for _ in self._of_gaps(path, None))

    def _of_gaps(self, below: bytes, after: bytes | None) -> Iterator[tuple[_Place, Lack]]:
        if self._gaps is None:
            told = (gap for gap in self.tree.gaps if self.is_broken or gap.kind.is_loss or gap.kind.is_in_vain)
            self._gaps = sorted(map(_placed, told), key=itemgetter(0))
        start = None if after is None else split(after)
        for place, lack in self._gaps:
            if (start is None or place > start) and is_at_or_below(lack.path, below):
                yield place, lack

    def _of_tree(self, below: bytes, after: bytes | None) -> Iterator[tuple[_Place, Lack]]:
        before = frozenset(range(self.certain_from))
        concerned = before | self.damaged
        if not concerned:
            return
        # For a directory, the record of its member is all its content.
        for path, number, is_directory in self.tree.kept_in(concerned, before, below, after):
            kind = GapKind.DAMAGED if number in self.damaged and not is_directory else GapKind.UNCERTAIN
            yield split(path), Lack(path, kind, self.archives[number].id)


def _placed(gap: Gap) -> tuple[_Place, Lack]:
    return split(gap.path), Lack(gap.path, gap.kind)


def _called(id: ArchiveId | None) -> str:
    return id.label if id is not None else "an archive"
